//! The ticker, and what it reads at which rate.
