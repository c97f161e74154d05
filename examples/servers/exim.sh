#!/bin/sh
# Exim (Debian: exim4-daemon-light) on the loopback, mail thrown away. As root, in a machine or root folder of its own:
# it writes /etc/exim4/exim4.conf. profile-run -- sh exim.sh [PORT]
set -e
getent passwd Debian-exim >/dev/null || useradd --system --home /var/spool/exim4 Debian-exim
install -d -o Debian-exim -g Debian-exim /var/spool/exim4 /var/log/exim4 /run/exim4
cat >/etc/exim4/exim4.conf <<CONF
daemon_smtp_ports = ${1:-2525}
local_interfaces = 127.0.0.1
primary_hostname = localhost
# The defaults are 20 of each: more sessions are refused with 421, more waiting connections are lost.
smtp_accept_max = 1000
smtp_connect_backlog = 511
# By default the 11th message of a connection waits for the next run of the queue.
smtp_accept_queue_per_connection = 0
# No look-up of names.
helo_lookup_domains =
acl_smtp_rcpt = accept
begin routers
nowhere:
  driver = redirect
  data = :blackhole:
CONF
exec exim4 -bdf
