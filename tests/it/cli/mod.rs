//! The commands as they are typed.

mod action;
mod again;
mod against;
mod attach;
mod bisect;
mod callbacks;
mod compare;
mod console;
mod container;
mod count;
mod differential;
mod exports;
mod figures;
mod first_contact;
mod gate;
mod kinds;
mod ledger;
mod main_job;
mod manual;
mod old_runs;
mod processes;
mod recorded;
mod scenario_calls;
