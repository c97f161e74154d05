#!/bin/sh
# aiosmtpd (Debian: python3-aiosmtpd) on the loopback, mail thrown away. profile-run -- sh aiosmtpd.sh [PORT]
exec /usr/bin/python3 -m aiosmtpd -n -c aiosmtpd.handlers.Sink -l "127.0.0.1:${1:-2525}"
