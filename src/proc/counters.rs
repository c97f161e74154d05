//! The kernel's counters of a network namespace: `/proc/PID/net/netstat` and `snmp`.

use super::stat::number;

/// Counters since boot that tell a full accept queue from a slow server. Compare two readings.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NetCounters {
    /// Connections that came while the accept queue was full.
    pub listen_overflows: u64,
    /// Connection attempts that a listener dropped, overflows included.
    pub listen_drops: u64,
    /// Half-open requests dropped because their queue was full.
    pub request_queue_full: u64,
    /// SYNs and SYN-ACKs that were sent again.
    pub syn_retransmits: u64,
    /// Segments that were sent again.
    pub retransmits: u64,
    /// Established connections that were reset.
    pub resets: u64,
    /// Connections dropped because memory for TCP ran out.
    pub aborted_on_memory: u64,
}

/// How many TCP segments a namespace has received and sent, and how many connections ended without a goodbye.
/// While it stays the same, no connection was made, closed or reset in it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Segments {
    /// Received.
    pub received: u64,
    /// Sent, those sent again and resets included.
    pub sent: u64,
    /// Connections that went from ESTABLISHED or CLOSE_WAIT straight to CLOSE: from then on no table lists them.
    pub resets: u64,
    /// Connections that are ESTABLISHED or CLOSE_WAIT now.
    pub open: u64,
}

impl Segments {
    /// Reads the two `Tcp:` lines of `/proc/PID/net/snmp`.
    pub fn parse(snmp: &[u8]) -> Option<Self> {
        let mut lines = snmp.split(|&b| b == b'\n').filter_map(|l| l.strip_prefix(b"Tcp: "));
        let (names, values) = (lines.next()?, lines.next()?);
        let words = |line| <[u8]>::split(line, |b: &u8| *b == b' ');
        let value = |name: &[u8]| {
            let (_, value) = words(names).zip(words(values)).find(|(n, _)| *n == name)?;
            number(value).map(|n| n as u64)
        };
        let sent = value(b"OutSegs")? + value(b"RetransSegs")? + value(b"OutRsts")?;
        let (resets, open) = (value(b"EstabResets")?, value(b"CurrEstab")?);
        Some(Self { received: value(b"InSegs")?, sent, resets, open })
    }

    /// Reads the namespace that `process` lives in; `None` where the kernel does not count.
    pub fn of(process: &super::Process) -> Option<Self> {
        Self::parse(&process.read("net/snmp").ok()?)
    }
}

impl NetCounters {
    /// Reads the pairs of lines (names, then values) of `netstat` and `snmp`, in any order.
    pub fn parse(texts: &[&[u8]]) -> Self {
        let mut out = Self::default();
        for text in texts {
            let mut lines = text.split(|&b| b == b'\n');
            while let (Some(names), Some(values)) = (lines.next(), lines.next()) {
                let words = |line| <[u8]>::split(line, |b: &u8| b.is_ascii_whitespace());
                for (name, value) in words(names).zip(words(values)) {
                    let Some(value) = number(value).map(|n| n as u64) else { continue };
                    match name {
                        b"ListenOverflows" => out.listen_overflows = value,
                        b"ListenDrops" => out.listen_drops = value,
                        b"TCPReqQFullDrop" => out.request_queue_full = value,
                        b"TCPSynRetrans" => out.syn_retransmits = value,
                        b"RetransSegs" => out.retransmits = value,
                        b"EstabResets" => out.resets = value,
                        b"TCPAbortOnMemory" => out.aborted_on_memory = value,
                        _ => {}
                    }
                }
            }
        }
        out
    }

    /// Reads the counters of the namespace that `process` lives in.
    pub fn of(process: &super::Process) -> Result<Self, super::Error> {
        Ok(Self::parse(&[&process.read("net/netstat")?, &process.read("net/snmp")?]))
    }

    /// What was added since an earlier reading.
    pub fn since(self, earlier: Self) -> Self {
        Self {
            listen_overflows: self.listen_overflows.saturating_sub(earlier.listen_overflows),
            listen_drops: self.listen_drops.saturating_sub(earlier.listen_drops),
            request_queue_full: self.request_queue_full.saturating_sub(earlier.request_queue_full),
            syn_retransmits: self.syn_retransmits.saturating_sub(earlier.syn_retransmits),
            retransmits: self.retransmits.saturating_sub(earlier.retransmits),
            resets: self.resets.saturating_sub(earlier.resets),
            aborted_on_memory: self.aborted_on_memory.saturating_sub(earlier.aborted_on_memory),
        }
    }
}

/// Processes that the machine's kernel killed for want of memory since boot, control groups' included;
/// 0 where it does not say.
pub fn oom_kills() -> u64 {
    let text = std::fs::read("/proc/vmstat").unwrap_or_default();
    text.split(|&b| b == b'\n').find_map(|l| number(l.strip_prefix(b"oom_kill ")?)).map_or(0, |n| n as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_of_lines() {
        let netstat = b"TcpExt: SyncookiesSent ListenOverflows ListenDrops TCPSynRetrans\nTcpExt: 0 4 9 2\n\
            IpExt: InNoRoutes\nIpExt: 1\n";
        let snmp = b"Tcp: RtoAlgorithm MaxConn EstabResets RetransSegs\nTcp: 1 -1 3 5\n";
        let now = NetCounters::parse(&[netstat, snmp]);
        assert_eq!((now.listen_overflows, now.listen_drops, now.syn_retransmits), (4, 9, 2));
        assert_eq!((now.resets, now.retransmits), (3, 5));
        assert_eq!(Segments::parse(snmp), None);
        let snmp =
            b"Ip: InReceives\nIp: 9\nTcp: EstabResets CurrEstab InSegs OutSegs RetransSegs OutRsts\nTcp: 3 4 7 5 2 1\n";
        assert_eq!(Segments::parse(snmp), Some(Segments { received: 7, sent: 8, resets: 3, open: 4 }));
        let later = NetCounters { listen_drops: 12, ..now };
        assert_eq!(later.since(now), NetCounters { listen_drops: 3, ..NetCounters::default() });
    }
}
