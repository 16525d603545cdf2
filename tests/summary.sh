#!/bin/sh
# What the parts of `make unit` came to: summary.sh DIRECTORY PART…
# A part's output is in DIRECTORY/PART and its exit status beside it. The last words of those that failed stand last,
# and below them each failure in a line, so that the end of the output says what is wrong. What passed only when it was
# asked again (again.sh) is said too. The status is 0 where every part's is.
directory=$1
shift
failed=

for part in "$@"; do
  status=$(cat "$directory/$part.status" 2>/dev/null) || status="no exit status"
  printf '%-10s  %s\n' "$part" "$(tail -n 1 "$directory/$part" 2>/dev/null)"
  [ "$status" = 0 ] || failed="$failed $part"
  if [ -e "$directory/$part.again" ]; then
    printf '%-10s  %s\n' "asked again" "$(tail -n 1 "$directory/$part.again")"
    grep -E "^(FAILED|ERROR) " "$directory/$part" | cut -c 1-300
  fi
done

for part in $failed; do
  printf '\n=== %s has failed (%s): its last words ===\n' "$part" "$(cat "$directory/$part.status" 2>/dev/null)"
  tail -n 100 "$directory/$part" 2>/dev/null
  tail -n 100 "$directory/$part.again" 2>/dev/null
done

for part in $failed; do
  printf '\n=== %s ===\n' "$part"
  grep -E "^(FAILED|ERROR) " "$directory/$part" 2>/dev/null | cut -c 1-300 | grep . || echo "it did not come to an end"
done

[ -z "$failed" ]
