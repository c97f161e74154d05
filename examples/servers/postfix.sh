#!/bin/sh
# Postfix in the foreground on the loopback, mail thrown away, configuration and queue in a folder of its own.
# As root: profile-run -- sh postfix.sh FOLDER [PORT]
set -e
mkdir -p "$1"
folder=$(cd "$1" && pwd) port=${2:-2525}
mkdir -p "$folder/etc" "$folder/queue" "$folder/data"
chown postfix "$folder/data"
cat >"$folder/etc/main.cf" <<CONF
compatibility_level = 3.6
queue_directory = $folder/queue
data_directory = $folder/data
maillog_file = /dev/stdout
inet_interfaces = loopback-only
inet_protocols = ipv4
myhostname = localhost
mydestination = localhost
mynetworks = 127.0.0.0/8
# Every recipient exists, and nothing is delivered.
local_recipient_maps =
local_transport = discard
default_transport = discard
smtpd_recipient_restrictions = permit_mynetworks, reject
# The defaults: 50 connections of one client, 10 MB a message.
smtpd_client_connection_count_limit = 0
message_size_limit = 51200000
# Each session comes from its own address of 127.0.0.0/8: no look-up of their names.
smtpd_peername_lookup = no
CONF
cat >"$folder/etc/master.cf" <<CONF
127.0.0.1:$port inet n - n - - smtpd
pickup    unix n - n 60  1 pickup
cleanup   unix n - n -   0 cleanup
qmgr      unix n - n 300 1 qmgr
rewrite   unix - - n -   - trivial-rewrite
bounce    unix - - n -   0 bounce
defer     unix - - n -   0 bounce
trace     unix - - n -   0 bounce
error     unix - - n -   - error
discard   unix - - n -   - discard
anvil     unix - - n -   1 anvil
proxymap  unix - - n -   - proxymap
scache    unix - - n -   1 scache
showq     unix n - n -   - showq
flush     unix n - n 1000? 0 flush
tlsmgr    unix - - n 1000? 1 tlsmgr
verify    unix - - n -   1 verify
postlog   unix-dgram n - n - 1 postlogd
CONF
exec postfix -c "$folder/etc" start-fg
