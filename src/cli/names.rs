//! How names of hosts and users are looked up where the C library is part of the program.

/// A C library that is linked in loads what `/etc/nsswitch.conf` names all the same, with the system's own C library, which
/// is another one. What it has itself, the files and DNS, is enough.
#[cfg(all(target_env = "gnu", target_feature = "crt-static"))]
pub fn by_the_c_library_alone() {
    use std::ffi::{c_char, c_int};
    unsafe extern "C" {
        fn __nss_configure_lookup(database: *const c_char, services: *const c_char) -> c_int;
    }
    for (database, services) in [(c"hosts", c"files dns"), (c"passwd", c"files")] {
        // SAFETY: both are strings with an end, which the function copies; no other thread runs yet.
        unsafe { __nss_configure_lookup(database.as_ptr(), services.as_ptr()) };
    }
}

/// A C library that is the system's own asks whom it wants.
#[cfg(not(all(target_env = "gnu", target_feature = "crt-static")))]
pub fn by_the_c_library_alone() {}
