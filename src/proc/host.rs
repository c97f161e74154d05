//! The machine: kernel, processors, memory, load. What a comparison of two runs must agree on.

use serde::{Deserialize, Serialize};

use super::Error;

fn read(path: &str) -> Result<String, Error> {
    std::fs::read_to_string(path).map_err(|source| Error::Read { path: path.to_owned(), source })
}

/// What a machine is, as far as it decides figures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    /// Host name.
    pub name: String,
    /// Kernel release.
    pub kernel: String,
    /// Processor's model, empty where the kernel does not say.
    pub cpu: String,
    /// Processors that this process may use.
    pub cpus: u32,
    /// Main memory, bytes.
    pub memory: u64,
    /// An identifier that changes with each boot.
    pub boot: String,
}

impl Host {
    /// Reads what the machine is.
    pub fn read() -> Result<Self, Error> {
        let line = |path| read(path).map(|text| text.trim().to_owned());
        Ok(Self {
            name: line("/proc/sys/kernel/hostname")?,
            kernel: line("/proc/sys/kernel/osrelease")?,
            cpu: cpu_model(&read("/proc/cpuinfo")?).unwrap_or_default(),
            cpus: std::thread::available_parallelism().map_or(1, |n| n.get() as u32),
            memory: Meminfo::parse(&read("/proc/meminfo")?)?.total,
            boot: line("/proc/sys/kernel/random/boot_id").unwrap_or_default(),
        })
    }
}

fn cpu_model(text: &str) -> Option<String> {
    let value = |key: &str| {
        text.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            (name.trim() == key).then(|| value.trim().to_owned())
        })
    };
    // x86 says "model name"; others "Model", "Hardware" or "cpu"; 64-bit ARM has numbers alone.
    ["model name", "Model", "Hardware", "cpu"].into_iter().find_map(value).or_else(|| {
        let (implementer, part) = (value("CPU implementer")?, value("CPU part")?);
        Some(format!("CPU implementer {implementer}, part {part}"))
    })
}

/// `/proc/meminfo`, bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Meminfo {
    /// Main memory.
    pub total: u64,
    /// What could be handed out without swapping.
    pub available: u64,
}

impl Meminfo {
    /// Reads the lines.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let kilobytes = |key: &str| {
            text.lines().find_map(|l| l.strip_prefix(key)?.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok())
        };
        let total = kilobytes("MemTotal:").ok_or(Error::Malformed {
            file: "meminfo",
            offset: 0,
            expected: "a line `MemTotal: N kB`",
        })?;
        Ok(Self { total: total * 1024, available: kilobytes("MemAvailable:").unwrap_or(0) * 1024 })
    }

    /// Reads the machine's memory now.
    pub fn read() -> Result<Self, Error> {
        Self::parse(&read("/proc/meminfo")?)
    }
}

/// `/proc/loadavg`: how busy the machine is beside what is watched.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Load {
    /// Mean number of processes that ran or wanted to, over 1, 5 and 15 minutes.
    pub averages: [f64; 3],
    /// Processes that run or want to, now.
    pub runnable: u32,
}

impl Load {
    /// Reads the line.
    pub fn parse(text: &str) -> Option<Self> {
        let mut words = text.split_ascii_whitespace();
        let mut averages = [0.0; 3];
        for slot in &mut averages {
            *slot = words.next()?.parse().ok()?;
        }
        let runnable = words.next()?.split_once('/')?.0.parse().ok()?;
        Some(Self { averages, runnable })
    }

    /// Reads the machine's load now.
    pub fn read() -> Result<Self, Error> {
        Self::parse(&read("/proc/loadavg")?).ok_or(Error::Malformed {
            file: "loadavg",
            offset: 0,
            expected: "three averages and runnable/all",
        })
    }
}

/// The first line of `/proc/stat`: time of all processors together, clock ticks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CpuTime {
    /// Something ran, or would have on a machine that another guest of its host had.
    pub busy: u64,
    /// All there was.
    pub all: u64,
}

impl CpuTime {
    /// Reads the line.
    pub fn parse(text: &str) -> Option<Self> {
        let mut words = text.lines().next()?.split_ascii_whitespace();
        let numbers = words.next().filter(|name| *name == "cpu").map(|_| words)?;
        // user nice system idle iowait irq softirq steal; what follows is in user and nice already.
        let times: Vec<u64> = numbers.take(8).map_while(|number| number.parse().ok()).collect();
        let idle = times.get(3)? + times.get(4).unwrap_or(&0);
        let all: u64 = times.iter().sum();
        Some(Self { busy: all - idle, all })
    }

    /// Reads the machine's time now.
    pub fn read() -> Result<Self, Error> {
        Self::parse(&read("/proc/stat")?).ok_or(Error::Malformed {
            file: "stat",
            offset: 0,
            expected: "a line `cpu ...`",
        })
    }
}

/// Seconds since boot, to the hundredth.
pub fn uptime() -> Result<f64, Error> {
    let text = read("/proc/uptime")?;
    text.split_ascii_whitespace().next().and_then(|word| word.parse().ok()).ok_or(Error::Malformed {
        file: "uptime",
        offset: 0,
        expected: "seconds since boot",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        let load = Load::parse("0.52 1.25 0.98 3/412 9001\n").unwrap();
        assert_eq!(load, Load { averages: [0.52, 1.25, 0.98], runnable: 3 });
        assert_eq!(Load::parse("0.5 1"), None);
        let time = CpuTime::parse("cpu  10 1 5 70 4 0 2 8 3 0\ncpu0 1 2 3 4\n");
        assert_eq!(time, Some(CpuTime { busy: 26, all: 100 }));
        let memory = Meminfo::parse("MemTotal:       8000 kB\nMemFree: 1 kB\nMemAvailable:   500 kB\n").unwrap();
        assert_eq!(memory, Meminfo { total: 8_192_000, available: 512_000 });
        assert_eq!(cpu_model("processor : 0\nmodel name\t: A (R) 9\n").as_deref(), Some("A (R) 9"));
        let arm = "processor\t: 0\nCPU implementer\t: 0x41\nCPU architecture: 8\nCPU part\t: 0xd0b\n";
        assert_eq!(cpu_model(arm).as_deref(), Some("CPU implementer 0x41, part 0xd0b"));
        assert_eq!(cpu_model("CPU part\t: 0xd0b\n"), None);
    }

    #[test]
    fn this_machine() {
        let host = Host::read().unwrap();
        assert!(host.memory > 1 << 20 && host.cpus > 0 && !host.kernel.is_empty());
        Load::read().unwrap();
    }
}
