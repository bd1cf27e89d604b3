# From help texts of swift-argument-parser to man(7). A line "@COMMAND NAME" comes before each subcommand's help.

# Text as roff shows it: `code` in bold, <placeholders> in italics, dashes as typed.
function roff(text,    result, rest) {
  sub(/ +$/, "", text)
  gsub(/\\/, "\\e", text)
  gsub(/-/, "\\-", text)
  result = ""
  while (match(text, /`[^`]*`|<[a-z][^<>]*>/)) {
    rest = substr(text, RSTART + 1, RLENGTH - 2)
    result = result substr(text, 1, RSTART - 1) (substr(text, RSTART, 1) == "`" ? "\\fB" : "\\fI") rest "\\fR"
    text = substr(text, RSTART + RLENGTH)
  }
  result = result text
  if (result ~ /^[.']/) result = "\\&" result
  return result
}

# An option's or a command's name: words in bold, placeholders in italics.
function heading(text,    count, words, i, result) {
  count = split(text, words, " ")
  result = ""
  for (i = 1; i <= count; i++)
    result = result (i > 1 ? " " : "") (words[i] ~ /^[-a-z]/ ? "\\fB" roff(words[i]) "\\fR" : roff(words[i]))
  return result
}

function flushItem() {
  if (item == "") return
  print ".TP"
  print heading(item)
  print roff(itemText)
  item = ""; itemText = ""
}

function flushParagraph() {
  if (paragraph == "") return
  if (abstract == "") {
    abstract = paragraph
    if (command == "") startPage()
    else print roff(paragraph)
  } else if (command == "" && match(paragraph, /Exit status: /)) {
    exitStatus = substr(paragraph, RSTART + RLENGTH)
    paragraph = substr(paragraph, 1, RSTART - 1)
    if (paragraph != "") description = description ".P\n" roff(paragraph) "\n"
  } else if (command == "") description = description ".P\n" roff(paragraph) "\n"
  else { print ".P"; print roff(paragraph) }
  paragraph = ""
}

function startPage(    upper, short) {
  upper = toupper(name); gsub(/-/, "\\-", upper)
  short = tolower(substr(abstract, 1, 1)) substr(abstract, 2)
  sub(/[.:].*$/, "", short)
  sub(/ \(this is what.*/, "", short)
  print ".\\\" Made from the program's --help."
  print ".TH " upper " " section " " date " \"sid " version "\" \"Score identity Distillation\""
  print ".nh"
  print ".ad l"
  print ".SH NAME"
  print roff(name) " \\- " roff(short)
}

function usage(text) {
  sub(/^ +/, "", text)
  if (command == "" && !synopsis++) print ".SH SYNOPSIS"
  else if (command == "") print ".br"
  else print ".P"
  text = roff(text)
  # The name in bold, as far as it goes.
  print "\\fB" roff(name) "\\fR" substr(text, length(roff(name)) + 1)
}

function describe() {
  if (command != "" || described++) return
  print ".SH DESCRIPTION"
  print roff(abstract)
  printf "%s", description
}

/^@COMMAND / {
  flushItem(); flushParagraph(); describe()
  command = substr($0, 10); abstract = ""; part = ""
  if (!commands++) print ".SH COMMANDS"
  print ".SS \"" roff(name " " command) "\""
  next
}
/^OVERVIEW: / { part = "overview"; paragraph = substr($0, 11); next }
/^USAGE: / { flushParagraph(); part = "usage"; usage(substr($0, 8)); next }
/^[A-Z][A-Z ]*:$/ {
  flushItem(); flushParagraph(); describe()
  part = "items"
  if ($0 == "SUBCOMMANDS:") part = "skip"
  else if (command == "" && !optioned++) print ".SH OPTIONS"
  next
}
part == "overview" && /^$/ { flushParagraph(); next }
part == "overview" { sub(/^ +/, ""); paragraph = paragraph (paragraph == "" ? "" : " ") $0; next }
part == "usage" && /^ / { usage($0); next }
part == "items" && /^  [^ ]/ {
  flushItem()
  if (length($0) > 26 && substr($0, 25, 2) == "  ") { item = substr($0, 3, 22); itemText = substr($0, 27) }
  else { item = substr($0, 3); itemText = "" }
  sub(/ +$/, "", item)
  # What every command has is said once.
  if (command != "" && (item == "--version" || item == "-h, --help")) item = ""
  next
}
part == "items" && /^                          / {
  itemText = itemText (itemText == "" ? "" : " ") substr($0, 27)
}
END {
  flushItem(); flushParagraph(); describe()
  if (exitStatus != "") { print ".SH EXIT STATUS"; print roff(exitStatus) }
}
