# Reads what strace -y has recorded of one program and says, one a line, where a loss of power could leave less than the
# program has promised: something that was renamed before its content was flushed, or whose folder was not flushed after.
# What nobody counts on after a crash is left out: logs, locks, metrics.
# Variables: base (paths outside are passed over), cwd (the program's).

function joined(folder, name) {
  if (name ~ /^\//) return name
  sub(/^\.\//, "", name)
  return folder "/" name
}
function parent(path) { sub(/\/[^\/]*$/, "", path); return path }
function shown(path) { return index(path, base "/") == 1 ? substr(path, length(base) + 2) : path }
function is_within(path) { return index(path, base "/") == 1 || path == base }
# The path of a descriptor at the start of the arguments.
function held(rest) {
  if (rest !~ /^[0-9]+<\//) return ""
  sub(/^[0-9]+</, "", rest)
  sub(/>.*$/, "", rest)
  return rest
}
function folder_of(    folder) {
  folder = cwd
  if (match(rest, /^(AT_FDCWD|[0-9]+)<[^>]*>, /)) {
    folder = substr(rest, 1, RLENGTH)
    rest = substr(rest, RLENGTH + 1)
    sub(/^[^<]*</, "", folder)
    sub(/>.*$/, "", folder)
  } else if (match(rest, /^AT_FDCWD, /)) rest = substr(rest, RLENGTH + 1)
  return folder
}
function next_path(    folder, name) {
  folder = folder_of()
  if (!match(rest, /^"([^"\\]|\\.)*"/)) return ""
  name = substr(rest, 2, RLENGTH - 2)
  rest = substr(rest, RLENGTH + 1)
  sub(/^, /, "", rest)
  return joined(folder, name)
}
function is_passing(path) { return path ~ /\/log$|\/log\/|\.log$|\.lock$|\.prom$/ }
function all_clean() { delete dirty; delete entered; delete pending }

/= -1 / { next }
{
  line = $0
  sub(/^[0-9]+ +/, "", line)
  if (line !~ /^[a-z_0-9]+\(/) next
  call = substr(line, 1, index(line, "(") - 1)
  rest = substr(line, index(line, "(") + 1)
}
call ~ /^(write|writev|pwrite64|pwritev|ftruncate|fallocate|copy_file_range|sendfile)$/ {
  path = held(rest)
  if (path != "" && is_within(path) && !is_passing(path)) dirty[path] = 1
}
call ~ /^open/ && line ~ /O_CREAT/ {
  path = next_path()
  if (path != "" && is_within(path) && !is_passing(path)) {
    entered[parent(path)] = path
    if (line ~ /O_TRUNC/) dirty[path] = 1
  }
}
call ~ /^mkdir/ { path = next_path(); if (is_within(path) && !is_passing(path)) entered[parent(path)] = path }
call ~ /^(fsync|fdatasync)$/ {
  path = held(rest)
  delete dirty[path]
  delete entered[path]
  delete pending[path]
}
call == "syncfs" || call == "sync" { all_clean() }
call ~ /^(unlink|rmdir)/ {
  path = next_path()
  delete dirty[path]
  if (parent(path) in entered && entered[parent(path)] == path) delete entered[parent(path)]
  delete entered[path]
}
call ~ /^rename/ {
  old = next_path()
  new = next_path()
  if (!is_within(new)) next
  renames++
  for (path in dirty) if (path == old || index(path, old "/") == 1) {
    print shown(path) ": its name became " shown(new) " before its content was flushed"
    delete dirty[path]
  }
  for (path in entered) if (path == old || index(path, old "/") == 1) {
    print shown(path) ": moved to " shown(new) " before its entry " shown(entered[path]) " was flushed"
    delete entered[path]
  }
  if (!is_passing(new)) {
    pending[parent(new)] = new
    entered[parent(new)] = new
  }
}
END {
  for (path in pending) print shown(path) ": not flushed after " shown(pending[path]) " took its name"
  if (renames == 0 && expected != "") print "no publication was seen; expected " expected
}
