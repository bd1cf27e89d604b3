# Reads what strace -y has recorded of one program and lists the points of it, one a line, apart by tabs:
#   CALL PATH N PLAIN CLASS RAW DELETED
# N counts the calls of a thread of that name on that path, as strace does where -P names the path; PLAIN counts all of a
# thread's calls of that name, for paths that are not the same twice. CLASS is W for calls that change the disk, else R.
# RAW is the path as the program gave it, or - where it gave a descriptor. Paths are relative to `base`; `@inputs` and
# `@log` stand for what lies elsewhere; other files, such as libraries, are none of a course's.
# Variables: base (the folder), cwd (the program's), inputs, log.

function is_in(word, list) { return index(" " list " ", " " word " ") > 0 }

# What differs from run to run: times, the random digits of an ID, random names.
function normalized(path,    part, n, parts, i, out) {
  gsub(/[0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]T[0-9][0-9][0-9][0-9][0-9][0-9]Z/, "STAMP", path)
  gsub(/\.refused-[0-9]+/, ".refused-R", path)
  n = split(path, parts, "/")
  out = ""
  for (i = 1; i <= n; i++) {
    part = parts[i]
    if (part ~ /STAMP-.*-[0-9a-f][0-9a-f][0-9a-f][0-9a-f](\.[a-z]+)?$/ && part !~ /-7f3a(\.[a-z]+)?$/ || part ~ /^\.STAMP/)
      sub(/-[0-9a-f][0-9a-f][0-9a-f][0-9a-f]$/, "-xxxx", part)
    out = out (i > 1 ? "/" : "") part
  }
  return out
}

function relative(path) {
  if (path == log_path) return "@log"
  if (path == base) return "."
  if (index(path, base "/") == 1) return normalized(substr(path, length(base) + 2))
  if (path == inputs) return "@inputs"
  if (index(path, inputs "/") == 1) return "@inputs/" substr(path, length(inputs) + 2)
  return ""
}

function joined(folder, name) {
  if (name ~ /^\//) return name
  sub(/^\.\//, "", name)
  return name == "" || name == "." ? folder : folder "/" name
}

BEGIN {
  by_folder = "openat openat2 renameat renameat2 linkat unlinkat mkdirat fchmodat fchownat newfstatat statx faccessat"
  by_folder = by_folder " faccessat2 readlinkat utimensat"
  writes = "creat write writev pwrite64 pwritev rename renameat renameat2 link linkat symlink symlinkat unlink unlinkat"
  writes = writes " mkdir mkdirat rmdir fsync fdatasync syncfs ftruncate truncate chmod fchmod fchmodat fallocate"
  writes = writes " copy_file_range sendfile"
  nowhere = "pipe2 inotify_init1"
}

{
  line = $0
  thread = 0
  if (match(line, /^[0-9]+ +/)) {
    thread = substr(line, 1, RLENGTH) + 0
    line = substr(line, RLENGTH + 1)
  }
  if (line !~ /^[a-z_0-9]+\(/) next
  call = substr(line, 1, index(line, "(") - 1)
  rest = substr(line, index(line, "(") + 1)
  plain[thread, call]++

  count = 0
  delete paths
  raw = "-"
  opened = ""
  while (rest != "" && count < 2) {
    folder = cwd
    if (is_in(call, by_folder)) {
      if (match(rest, /^(AT_FDCWD|[0-9]+)<[^>]*>(\(deleted\))?, /)) {
        folder = substr(rest, 1, RLENGTH)
        rest = substr(rest, RLENGTH + 1)
        sub(/^[^<]*</, "", folder)
        sub(/>.*$/, "", folder)
        if (line !~ /^[a-z_0-9]+\(AT_FDCWD/) opened = folder
      } else if (match(rest, /^AT_FDCWD, /)) rest = substr(rest, RLENGTH + 1)
    }
    if (rest ~ /^[0-9]+</ ) {
      path = rest
      sub(/^[0-9]+</, "", path)
      sub(/>.*$/, "", path)
      if (call != "inotify_add_watch") {
        paths[++count] = path
        break
      }
      sub(/^[^,]*, /, "", rest)
    }
    if (!match(rest, /^"([^"\\]|\\.)*"/)) break
    name = substr(rest, 2, RLENGTH - 2)
    rest = substr(rest, RLENGTH + 1)
    sub(/^, /, "", rest)
    if (count == 0 && name != "") raw = name
    paths[++count] = joined(folder, name)
    # Of `rename` strace looks at the first path alone.
    if (call !~ /^(link|linkat|renameat2?)$/) break
  }

  class = is_in(call, writes) || (call ~ /^open/ && line ~ /O_(CREAT|TRUNC)/) ? "W" : "R"
  if (is_in(call, nowhere)) {
    key = "-"
  } else {
    if (count == 0) next
    key = relative(paths[1])
    if (count > 1 && (key == "" || key ~ /-xxxx|-R$/) && relative(paths[2]) !~ /^$|-xxxx|-R$/) {
      key = relative(paths[2])
      raw = "-"
    }
    if (key == "") next
  }
  # strace counts a call for each path that it is about.
  first = relative(paths[1])
  second = count > 1 ? relative(paths[2]) : ""
  if (key == "-") first = "-"
  # A folder that a name is looked up in by its descriptor counts, too.
  if (opened != "" && relative(opened) != "") seen[thread, call, relative(opened)]++
  n = ++seen[thread, call, first]
  if (second != "" && second != first) {
    m = ++seen[thread, call, second]
    if (key == second) n = m
  }
  id = call "\t" key "\t" n
  if (id in known) next
  known[id] = 1
  print id "\t" plain[thread, call] "\t" class "\t" raw
}
