#!/bin/sh
# What failed while the parts of `make unit` shared the machine is asked once more, alone: again.sh PYTEST DIRECTORY PART…
# A test whose fault is the program's fails again. One that passes now was disturbed by its neighbours, or met a race:
# summary.sh says which they were. Where more than MOST of a part failed, or it did not come to an end, nothing is asked.
MOST=5
pytest=$1
directory=$2
shift 2

for part in "$@"; do
  [ "$(cat "$directory/$part.status" 2>/dev/null)" = 1 ] || continue
  failed=$(grep -c ': true' "$directory/$part.cache/v/cache/lastfailed") || continue
  [ "$failed" -le "$MOST" ] || continue
  printf '\n=== %s: %s failed beside others, and are asked again alone ===\n' "$part" "$failed"
  timeout 240 "$pytest" -q --last-failed --last-failed-no-failures=none -o cache_dir="$directory/$part.cache" \
    >"$directory/$part.again" 2>&1
  echo $? >"$directory/$part.status"
  tail -n 1 "$directory/$part.again"
done
