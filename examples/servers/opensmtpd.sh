#!/bin/sh
# OpenSMTPD on the loopback, mail thrown away. As root, in a machine or root folder of its own: it writes /etc/smtpd.conf.
# profile-run -- sh opensmtpd.sh [PORT]
set -e
for user in opensmtpd opensmtpq mail-sink; do
    getent passwd "$user" >/dev/null || useradd --system --home /var/empty "$user"
done
mkdir -p /var/empty
echo 'localhost' >/etc/mailname
cat >/etc/smtpd.conf <<CONF
smtp max-message-size "50M"
table sink { "@localhost" = "mail-sink" }
listen on 127.0.0.1 port ${1:-2525} hostname localhost
# Of each connection the default is 1,000 recipients, of each process 200 sessions and queued envelopes.
action discard mda "cat >/dev/null" virtual <sink>
match from any for any action discard
CONF
exec smtpd -d
