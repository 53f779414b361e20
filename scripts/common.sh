# Sourced by setup.sh, build.sh and test.sh: progress lines, logged steps, errors.

LOG_DIR="$ROOT/log"
mkdir -p "$LOG_DIR"

say() { printf '%s\n' "$*"; }

# die MESSAGE [LINE ...]: an error, what to do about it, and stop.
die() {
  printf 'error: %s\n' "$1" >&2
  shift
  local line
  for line in "$@"; do printf '       %s\n' "$line" >&2; done
  exit 1
}

# logged LOGFILE COMMAND ...: runs the command with its output in the log, says every 30 s that it is
# still at work, and shows the end of the log when it fails.
logged() {
  local log="$LOG_DIR/$1" started=$SECONDS status=0 next=30 pid
  shift
  "$@" >"$log" 2>&1 </dev/null &
  pid=$!
  trap 'kill "$pid" 2>/dev/null; exit 130' INT TERM
  while kill -0 "$pid" 2>/dev/null; do
    sleep 0.2
    if [ $((SECONDS - started)) -ge "$next" ]; then
      say "      ... still at work ($((SECONDS - started)) s)"
      next=$((next + 30))
    fi
  done
  wait "$pid" || status=$?
  trap - INT TERM
  if [ "$status" -ne 0 ]; then
    printf '%s\n' "---- last lines of log/$(basename "$log") ----" >&2
    # pip repeats a warning per package about package folders that do not exist.
    grep -v 'is ignored: it is neither a file nor a directory' "$log" | tail -n 25 >&2
    printf '%s\n' '----' >&2
  fi
  return "$status"
}
