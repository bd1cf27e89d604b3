# Says what is tried at which points: reads the points of all courses, COURSE WHO CALL PATH N PLAIN CLASS RAW, in the order
# of the courses, and writes each as often as there are errors, the error behind it. With `all` everything that can happen;
# else what is left out is the like of something that is tried:
#   - one file is written, read and looked at again and again: the first times, the middle and the end are tried
#   - errors that stay: from the first call of a kind on a path on; not of calls that only look at names, and of stages,
#     which end with the first, a full disk and missing permissions alone
#   - errors that come once: at the first call of a kind on a path, and at the last one that changes the disk
#   - a request to stop: where names are given, and at the first words in a log
#   - errors at what is no job's, which every course of the daemon meets: in the first course
#   - errors in the folder of a job that is being run: in `one` and in the first course of a single step
#   - errors in files that another course of the same program has too: in the first of them
#   - what befalls stages in the daemon's hands: in `one` and `exports`; all but a kill in `exports`
# Variables: all, point (that one alone), errors (those alone), short, programs (COURSE=PROGRAM ...).

BEGIN {
  FS = OFS = "\t"
  n = split(programs, pairs, " ")
  for (i = 1; i <= n; i++) { split(pairs[i], pair, "="); program[pair[1]] = pair[2] }
}

# What may happen at a call, parted by blanks; a + stays from then on.
function possible(    found, i, n, list, text) {
  if (class == "W") found = who == "daemon" || who == "stage" ? "KILL TERM" : "KILL CRASH"
  if (call ~ /^(open|openat|creat)$/) list = (class == "W" ? "ENOSPC " : "") "EIO EMFILE EACCES"
  else if (call ~ /^(read|pread64|getdents64|statfs|flock)$/) list = "EIO"
  else if (call ~ /stat|access|^statx$/) list = "EIO EACCES"
  else if (call ~ /^(write|writev|pwrite64|fsync|fdatasync|syncfs|ftruncate|copy_file_range)$/) list = "ENOSPC EIO"
  else if (call ~ /^(rename|mkdir|link|symlink)/) list = "ENOSPC EIO EACCES"
  else if (call ~ /^(unlink|rmdir|chmod|fchmod)/) list = "EIO EACCES"
  else if (call ~ /^(pipe2|inotify_init1)$/) list = "EMFILE"
  else if (call == "inotify_add_watch") list = "ENOSPC EACCES"
  n = split(list, text, " ")
  for (i = 1; i <= n; i++) found = found " " text[i] " " text[i] "+"
  return found
}

function is_chosen(error,    of, first, last_n, place) {
  last_n = last[course, who, call, path]
  first = n == 1
  if (call ~ /^(write|pwrite64|read|pread64|getdents64|newfstatat|stat|fstat|lstat)$/ && n > 2 && n != last_n &&
      n != int(last_n / 2)) return 0
  if (error == "TERM") return call ~ /^rename/ || call ~ /write/ && first && path !~ /\.partial$|\.tmp$/
  if (who != "daemon" && who != "stage") {
    if (course == "one") return error == "KILL"
    if (course != "exports" || error !~ /^(KILL|CRASH|ENOSPC|EACCES)$/) return 0
    return class == "W" && (error ~ /^(KILL|CRASH)$/ || first)
  }
  if (error == "KILL") return 1
  # Where no path can be named all calls of the name would fail from then on.
  if (error ~ /\+$/ && path ~ /-xxxx|-R$/) return 0
  if (error ~ /\+$/ && (!first || call ~ /stat|access/ || who == "stage" && error !~ /^(ENOSPC|EACCES)/)) return 0
  if (!first && (class == "R" || n != last_n || error ~ /^(EACCES|EMFILE)/)) return 0
  place = path
  if (who == "stage") of = program[course]
  else if (path !~ /STAMP|incoming\//) of = "daemon"
  else if (path ~ /-xxxx|incoming\/|-R$/) {
    # A file that is taken: one of each course.
    of = course
    sub(/STAMP-.*-xxxx/, "STAMP-xxxx", place)
    sub(/incoming\/.*/, "incoming/", place)
  } else if (path ~ /^active\//) {
    # A job that is being run: one job of the first course that has its like.
    of = course ~ /^(one|two)$/ ? "several" : "exports"
    sub(/STAMP-[a-z]*-7f3a/, "STAMP", place)
    sub(/\/[a-z]*\.log$/, "/log", place)
  } else return 1
  of = of FS call FS place FS (first ? 1 : "last") FS error
  if (of in met) return met[of] == course FS path
  met[of] = course FS path
  return 1
}

{
  line[NR] = $0
  if ($5 > last[$1, $2, $3, $4]) last[$1, $2, $3, $4] = $5
}

END {
  for (i = 1; i <= NR; i++) {
    split(line[i], field, FS)
    course = field[1]; who = field[2]; call = field[3]; path = field[4]; n = field[5]; class = field[7]
    if (point != "" && who ":" call ":" path ":" n != point) continue
    m = split(possible(), choice, " ")
    for (j = 1; j <= m; j++) {
      if (errors != "" && index(" " errors " ", " " choice[j] " ") == 0) continue
      if (point == "" && !all && !is_chosen(choice[j])) continue
      # The names that things take and lose, and of the rest a few.
      if (short && !(choice[j] == "KILL" && call ~ /^(rename|unlink)/ && ++names % 6 == 0) && ++rest % 60 != 0) continue
      print "point", line[i], choice[j]
    }
  }
}
