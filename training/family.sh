#!/usr/bin/env bash
# The whole family on one CUDA GPU: corpus, supervised training of five sizes, reinforcement of one, evaluation. Every step
# goes on where it was stopped: run it again. Needs Node 20 beside PyTorch, for the corpus, the rewards and the verdicts.
#
#   training/family.sh [WORK]            WORK: corpus and checkpoints (default training-work)
#   DEVICE=cpu TOKENS=2000000 …          another device, tokens of each size, GPU_SET for the batch
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(realpath -m "${1:-training-work}")
device=${DEVICE:-cuda}
python=${PYTHON:-python3}
tokens=${TOKENS:-300000000}
corpus_tokens=${CORPUS_TOKENS:-150000000}
batch=${GPU_SET:-precision=bf16 step_tokens=32768 micro_tokens=32768 warmup_tokens=5000000 validate_every=200 checkpoint_every=500}
sizes=${SIZES:-125k 250k 1m 2m 5m}
reinforced=${REINFORCED:-2m}
cells=${CELLS:-kk:2-7,countdown:3-5,arithmetic:1-5}
problems=${PROBLEMS:-500}
mkdir -p "$work"

if [ ! -f "$work/corpus.json" ]; then
  # Long searches that move on, tries that the rules forbid, thoughts cut off and answered, several grades along one thought: models/README.md
  # tells what each is good for.
  npm run -s corpus -- --token-limit "$corpus_tokens" --seed 1 --endurance 6 --foolish 10 --restless \
    --shares pruned=6,grade=3,judge=3,grades=6,cut=8 --tokens "$work/corpus"
fi

# publish NAME CHECKPOINT: an exported model with its tokenizer, and what it solves.
publish() {
  "$python" training/export.py --checkpoint "$2" --out "models/$1"
  npm run -s corpus -- --tokenizer "models/$1"
  "$python" training/evaluate.py --device "$device" --model "models/$1" --cells "$cells" --problems "$problems" \
    --max-tokens 1024,2048 --out "models/$1/results.jsonl"
}

for size in $sizes; do
  # The settings are words: they are meant to be split.
  # shellcheck disable=SC2086
  "$python" training/train.py --device "$device" --config "training/configs/$size.json" --corpus "$work/corpus" \
    --out "$work/$size" --set tokens="$tokens" $batch
  publish "reckon-$size" "$work/$size/checkpoint.pt"
done

"$python" training/rl.py --device "$device" --checkpoint "$work/$reinforced/checkpoint.pt" --mode w-reinforce \
  --rounds "${ROUNDS:-100}" --out "$work/$reinforced-rl"
publish "reckon-$reinforced-rl" "$work/$reinforced-rl/checkpoint.pt"

npm run -s report
