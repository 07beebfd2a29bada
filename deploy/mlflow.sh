#!/usr/bin/env bash
# An MLflow server for a team: runs in PostgreSQL, files on S3 or in a folder, a user and a password for everyone.
#
#   bash deploy/mlflow.sh FOLDER [options of `mlflow server`]
#
# It listens on 127.0.0.1 alone, unless an option says otherwise (docs/team.md). From the environment it takes
#   MLFLOW_AUTH_ADMIN_PASSWORD     of the user `admin`, 12 characters or more; needed at the first start
#   MLFLOW_BACKEND_STORE_URI       postgresql+psycopg2://user:password@host/database; left out, a PostgreSQL of its
#                                  own runs in FOLDER, on a socket there and no port
#   MLFLOW_ARTIFACTS_DESTINATION   s3://bucket; left out, FOLDER/artifacts
#   AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, MLFLOW_S3_ENDPOINT_URL   for S3
set -euo pipefail
umask 077

folder=$(realpath -m "${1:?the folder for the files of the server is missing}")
shift
mkdir -p "$folder"

if [ -z "${MLFLOW_BACKEND_STORE_URI:-}" ]; then
    PATH=$PATH:$(printf '%s:' /usr/lib/postgresql/*/bin) # where Debian keeps them
    export PGDATA=$folder/postgres PGHOST=$folder
    [ -f "$PGDATA/PG_VERSION" ] || initdb --auth=peer --encoding=UTF8 >"$folder/initdb.log"
    pg_ctl start --silent --log="$folder/postgres.log" --options="-k '$folder' -c listen_addresses=''"
    trap 'pg_ctl stop --silent --mode=fast' EXIT
    psql --dbname=postgres --tuples-only --command="SELECT datname FROM pg_database" | grep -qw mlflow || createdb mlflow
    export MLFLOW_BACKEND_STORE_URI="postgresql+psycopg2:///mlflow?host=$folder"
fi

# EDIT: the runs of all users go into the one experiment of a data set. The cache, seconds: to check a password costs a
# third of a second of CPU, and an experiment has some 170 requests. Of a percent sign, as a password in an address may
# have, the reader of the file wants two.
cat >"$folder/auth.ini" <<INI
[mlflow]
default_permission = EDIT
database_uri = ${MLFLOW_BACKEND_STORE_URI//%/%%}
admin_username = admin
auth_cache_ttl_seconds = 60
INI
[ -f "$folder/secret" ] || head -c 32 /dev/urandom | base64 >"$folder/secret"

export MLFLOW_AUTH_CONFIG_PATH=$folder/auth.ini MLFLOW_DISABLE_TELEMETRY=true
export MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false # eight processes for what Darkroom does not use
export MLFLOW_ARTIFACTS_DESTINATION=${MLFLOW_ARTIFACTS_DESTINATION:-$folder/artifacts}
MLFLOW_FLASK_SERVER_SECRET_KEY=$(<"$folder/secret")
export MLFLOW_FLASK_SERVER_SECRET_KEY
# Left to itself the server kills a worker that has been busy for five seconds, and its requests with it.
mlflow server --app-name basic-auth --serve-artifacts --uvicorn-opts "--timeout-worker-healthcheck 60" "$@" &
trap 'kill $!' INT TERM
wait $! || wait $! # the first ends with the signal, the second with the server
