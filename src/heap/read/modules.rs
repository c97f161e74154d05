//! Where the program and its libraries keep their variables: the writable parts of files that are mapped.

use crate::heap::walk::engine::base_name;
use crate::proc::maps::Mapping;

/// The variables of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Module {
    /// The first address.
    pub start: u64,
    /// The first behind them.
    pub end: u64,
    /// The file's name, without its folder.
    pub name: String,
}

/// All of them, in the order of their addresses. What is zero at first has no file behind it and follows what has one.
pub fn modules(maps: &[Mapping]) -> Vec<Module> {
    let mut all: Vec<Module> = Vec::new();
    for mapping in maps.iter().filter(|mapping| mapping.writable && mapping.readable && !mapping.shared) {
        match all.last_mut() {
            Some(before) if mapping.path.is_empty() && before.end == mapping.start => before.end = mapping.end,
            _ if mapping.is_file() => {
                all.push(Module { start: mapping.start, end: mapping.end, name: base_name(&mapping.path).to_owned() })
            }
            _ => {}
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proc::maps;

    #[test]
    fn variables_without_a_file_behind_them_belong_to_the_file_before() {
        let text = "55d0c8a00000-55d0c8aeb000 r--p 00000000 fe:00 1311 /usr/bin/php8.2\n\
                    55d0c8b00000-55d0c8b10000 rw-p 00100000 fe:00 1311 /usr/bin/php8.2\n\
                    55d0c8b10000-55d0c8b20000 rw-p 00000000 00:00 0 \n\
                    55d0ca000000-55d0ca200000 rw-p 00000000 00:00 0 [heap]\n\
                    7f0000000000-7f0000001000 rw-s 00000000 fe:00 12 /srv/shared\n\
                    7f0000002000-7f0000003000 rw-p 00000000 fe:00 13 /usr/lib/libcurl.so.4\n";
        let found = modules(&maps::parse(text));
        let module = |start, end, name: &str| Module { start, end, name: name.to_owned() };
        assert_eq!(
            found,
            [
                module(0x55d0_c8b0_0000, 0x55d0_c8b2_0000, "php8.2"),
                module(0x7f00_0000_2000, 0x7f00_0000_3000, "libcurl.so.4")
            ]
        );
    }
}
