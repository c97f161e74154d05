//! What several tests share.
#![allow(dead_code)] // each test uses a part of it

pub mod calls;
pub mod chromium;
pub mod files;
pub mod history;
pub mod locust;
pub mod smtp;
pub mod speedscope;
pub mod tools;
pub mod views;
