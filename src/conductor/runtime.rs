//! Which runtime a process is: by its program's name, what it has mapped, and a section that Go's programs have.

use std::fs::File;

use object::{Object, ReadCache};

use crate::model::Runtime;
use crate::proc::Process;

/// The section into which Go's linker writes how a program was built.
const GO_BUILD: &str = ".go.buildinfo";

/// The runtime of a process, where it is one that collects when it will.
pub(super) fn of(pid: i32) -> Option<Runtime> {
    let process = Process::open(pid).ok()?;
    let program = process.exe().ok()?;
    let name = program.file_name()?.to_string_lossy().into_owned();
    let maps = process.read("maps").unwrap_or_default();
    by_name(&name, &String::from_utf8_lossy(&maps))
        .or_else(|| process.file("exe").ok().filter(is_go).map(|_| Runtime::Go))
}

fn by_name(program: &str, maps: &str) -> Option<Runtime> {
    let mapped =
        |library: &str| maps.lines().any(|line| line.rsplit('/').next().is_some_and(|name| name.starts_with(library)));
    match program {
        "java" => Some(Runtime::Jvm),
        "node" | "nodejs" | "deno" | "electron" => Some(Runtime::V8),
        "dotnet" => Some(Runtime::DotNet),
        _ if mapped("libjvm.so") => Some(Runtime::Jvm),
        _ if mapped("libnode.so") || mapped("libv8.so") => Some(Runtime::V8),
        _ if mapped("libcoreclr.so") => Some(Runtime::DotNet),
        _ => None,
    }
}

fn is_go(program: &File) -> bool {
    // Only the parts that are asked for are read, of however large a program.
    let program = ReadCache::new(program);
    object::File::parse(&program).is_ok_and(|program| program.section_by_name(GO_BUILD).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_program_and_by_library() {
        let maps = "7f00-7f10 r-xp 00000000 fe:00 9   /usr/lib/jvm/java-17/lib/server/libjvm.so\n";
        assert_eq!(by_name("server", maps), Some(Runtime::Jvm));
        assert_eq!(by_name("node", ""), Some(Runtime::V8));
        assert_eq!(by_name("php8.2", "7f00-7f10 r-xp 00000000 fe:00 9 /usr/lib/libc.so.6\n"), None);
        assert_eq!(of(std::process::id() as i32), None, "this program frees what it gives up");
    }
}
