#!/bin/sh
# Haraka (npm install Haraka) on the loopback, mail thrown away, configuration in a folder of its own.
# profile-run -- sh haraka.sh FOLDER [PORT], where node_modules/.bin/haraka stands
set -e
haraka=$PWD/node_modules/.bin/haraka
mkdir -p "$1/config" "$1/plugins"
cd "$1"
[ -f package.json ] || echo '{"name": "sink", "version": "1.0.0"}' >package.json
echo "listen=127.0.0.1:${2:-2525}" >config/smtp.ini
echo localhost >config/me
# Without it the plain defaults are missing, and the first client ends the server's greeting with an exception.
cp "$(dirname "$haraka")/../Haraka/config/connection.ini" config/
printf 'accept\nqueue/discard\n' >config/plugins
echo LOGWARN >config/loglevel
cat >plugins/accept.js <<'JS'
// It asks the domain name system for each client's name, and greets when that has answered.
exports.hook_lookup_rdns = (next) => next(OK, 'localhost');
exports.hook_rcpt = (next) => next(OK);
JS
# Without this word the plugin lets mail pass on.
export YES_REALLY_DO_DISCARD=1
exec "$haraka" -c "$PWD"
