# Of lines INODE PATH: those of files that have been published and must not be made again. A picture, a manifest or figures
# belong to the archive, network or page of their name and count once that is there.
{ inode[$2] = $1 }
END {
  for (path in inode) {
    stem = path
    if (path !~ /-png\// && sub(/((-curve)?\.png|(\.manifest)?\.json)$/, "", stem)) {
      is_there = 0
      for (other in inode)
        if (other != path && index(other, stem ".") == 1 && other !~ /(\.png|\.json)$/) is_there = 1
      if (!is_there) continue
    }
    print inode[path], path
  }
}
