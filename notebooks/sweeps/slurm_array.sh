#!/bin/bash
# A sweep as an array of independent jobs: each computes every 16th task, all record in one folder that they share.
# Submit it with   sbatch slurm_array.sh PLAN.toml FOLDER   and submit it again if jobs were killed: a rerun computes
# what is missing.  The job that finds nothing missing at its end writes FOLDER/dataset.nc.
#SBATCH --job-name=sweep
#SBATCH --array=1-16
#SBATCH --cpus-per-task=4
#SBATCH --mem=8G
#SBATCH --time=04:00:00
# Let running tasks finish when the time is nearly over.
#SBATCH --signal=B:TERM@120
set -eu

plan=${1:?give the plan, as in: sbatch slurm_array.sh PLAN.toml FOLDER}
folder=${2:?give the folder of the sweep, on a file system that all nodes see}

# Without a scheduler the script runs as the only job: bash slurm_array.sh PLAN.toml FOLDER
task=${SLURM_ARRAY_TASK_ID:-1}
count=${SLURM_ARRAY_TASK_COUNT:-1}

exec spinodal sweep "$plan" --out "$folder" --workers "${SLURM_CPUS_PER_TASK:-1}" --shard "$task/$count"
