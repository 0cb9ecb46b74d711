#!/usr/bin/env bash
# Everything that only a CUDA card can tell, in one command and within 12 minutes:
#
#   tests/benchmarks/gpu.sh [WHEELS]         run; prints one JSON line a benchmark, messages to stderr
#   tests/benchmarks/gpu.sh --fetch [WHEELS] [PYTHON]   on a machine with a network: download what the run may lack
#
# The machine needs PyTorch, transformers and a card, and no network: packages that it lacks are
# installed from WHEELS (wheels/ at the top of the repository, which git ignores) into a folder that
# is deleted afterwards. What is installed already is not replaced. PYTHON names another interpreter
# than python3. Append the lines to tests/benchmarks/results/gpu.jsonl and commit them.
#
# GPU_SIZE=tiny and GPU_DEVICE=cpu run a small version without a card, to test this script.
set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
device=${GPU_DEVICE:-cuda}
size=${GPU_SIZE:-0.6b}
# Imported package and its name on PyPI; the image of a GPU machine has the larger ones.
needed="trl datasets accelerate pyarrow pandas scipy sklearn:scikit-learn dill multiprocess xxhash
  snowballstemmer platformdirs filelock krippendorff jinja2 psutil"

if [ "${1:-}" = "--fetch" ]; then
  wheels=${2:-$root/wheels}
  mkdir -p "$wheels"
  # shellcheck disable=SC2086
  exec python3 -m pip download -q --dest "$wheels" --only-binary :all: --no-deps \
    --python-version "${3:-3.12}" -c "$root/constraints.txt" $(echo $needed | tr ' ' '\n' | sed 's/.*://') flash-pref
fi

wheels=$(cd "${1:-$root/wheels}" 2>/dev/null && pwd || echo none)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python=${PYTHON:-python3}
export PYTHONPATH=$work/packages:$root:$root/tests PIP_NO_INDEX=1 PIP_DISABLE_PIP_VERSION_CHECK=1 TQDM_DISABLE=1
export HF_HUB_OFFLINE=1 TOKENIZERS_PARALLELISM=false HF_HOME=$work/hf PLURALITY_CACHE=off
say() { printf '%s\n' "$*" >&2; }

for package in $needed; do
  module=${package%%:*}
  "$python" -c "import importlib.util as u, sys; sys.exit(u.find_spec('$module') is None)" && continue
  say "installing ${package##*:}"
  "$python" -m pip install -q --no-deps --find-links "$wheels" --target "$work/packages" "${package##*:}" ||
    say "not installed: ${package##*:} (no wheel in $wheels)"
done

started=$SECONDS
status=0
# A benchmark that fails or runs out of time leaves a line that says so, and the next one runs.
bench() {
  local name=$1 limit=$2
  shift 2
  local left=$((720 - (SECONDS - started)))
  [ "$limit" -gt "$left" ] && limit=$left
  if [ "$limit" -le 10 ]; then
    echo "{\"benchmark\": \"$name\", \"error\": \"no time left of 12 minutes\"}"
    status=1
    return
  fi
  say "$name (at most $limit s)"
  if ! timeout "$limit" "$@" >"$work/out" 2>"$work/err"; then
    status=1
    tail -n 15 "$work/err" >&2
    "$python" -c 'import json, sys; print(json.dumps({"benchmark": sys.argv[1], "error": sys.stdin.read()[-400:]}))' \
      "$name" <"$work/err"
  fi
  grep '^{' "$work/out"
}

bench matmul_peak 60 "$python" "$here/gpu_checks.py" peak --device "$device"
peak=$("$python" -c 'import json, sys; print(json.loads(sys.stdin.readline() or "{}").get("tflops", ""))' <"$work/out")
with_peak=${peak:+--peak-tflops $peak}
bench exactness 150 "$python" "$here/gpu_checks.py" exactness --device "$device"
# shellcheck disable=SC2086
bench training_vs_trl 330 "$python" "$here/training_vs_trl.py" --data made --size "$size" --steps "${GPU_STEPS:-2}" --rounds 2 $with_peak
# flash-preference pins an older transformers, so it is tried, and what came of it is a line of its own.
bench flash_preference 30 "$python" "$here/gpu_checks.py" flash-preference --wheels "$wheels" --device "$device"
bench local_judge 120 "$python" "$here/local_judge.py" --data made --size "$size" --device "$device" --pairs "${GPU_PAIRS:-200}" --repeats 2
say "done in $((SECONDS - started)) s"
exit $status
