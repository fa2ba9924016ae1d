//! `clew check`: is everything that was acknowledged still there, and whole?
