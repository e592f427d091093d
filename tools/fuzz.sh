#!/bin/sh
# Runs every fuzz target of a build folder for some seconds, from its corpus. New inputs stay in the
# build folder; a crash leaves its input there and fails.
# The seed is 1 unless SEED says otherwise.
# usage: fuzz.sh DIR SECONDS [TARGET...]
set -u

root=$(cd "$(dirname "$0")/.." && pwd)
cd "$1/fuzz" || exit 1
seconds=$2
shift 2
[ $# -gt 0 ] || set -- fuzz_*
passed=0 failed=0
for t; do
	t=${t#fuzz_}
	[ -f "fuzz_$t" ] && [ -x "fuzz_$t" ] || continue
	mkdir -p "found/$t"
	if "./fuzz_$t" -max_total_time="$seconds" -seed="${SEED:-1}" -timeout=20 -rss_limit_mb=2048 -print_final_stats=1 \
		-artifact_prefix="crash-$t-" "found/$t" "$root/fuzz/corpus/$t" >"$t.log" 2>&1; then
		passed=$((passed + 1))
		runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$t.log")
		echo "ok      $t: $runs runs"
	else
		failed=$((failed + 1))
		tail -n 40 "$t.log"
		echo "FAILED  $t: $PWD/$t.log"
	fi
done
echo "$passed targets passed, $failed failed"
[ $failed = 0 ] && [ $passed != 0 ]
