# A change of the base policy with 100,000 computers below, and with 1,000: fingerprints and who is affected.
# bench: policy-change
set -euo pipefail
: "${BENCH_TOOLS:?run scripts/bench}" "${BENCH_OUT:?}"

few=$("$BENCH_TOOLS/muster-bench-policy" 1000 200 50)
many=$("$BENCH_TOOLS/muster-bench-policy" 100000 200 20)
# Value and reference are the cost for one computer, so that the ratio says whether it grows with their number.
jq -nc --argjson few "$few" --argjson many "$many" '
  ($many.seconds / $many.computers * 1e9) as $one | ($few.seconds / $few.computers * 1e9) as $reference |
  {bench: "policy-change", value: $one, unit: "ns/computer", reference: "with 1,000 computers",
   reference_value: $reference, ratio: ($one / $reference), detail: {many: $many, few: $few}}' >>"$BENCH_OUT/policy-change.jsonl"
