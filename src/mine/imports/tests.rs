//! Tests over small wheels.
