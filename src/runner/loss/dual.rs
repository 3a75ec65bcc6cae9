//! Numbers that carry their derivatives with regard to the two log-probabilities of a pair.

use std::ops::{Add, Div, Mul, Neg, Sub};

/// A value, and how it moves with the preferred answer and with the other one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Dual {
    pub value: f64,
    pub chosen: f64,
    pub rejected: f64,
}

/// `log(1 / (1 + exp(-x)))` without overflow.
fn log_sigmoid(x: f64) -> f64 {
    if x > 0.0 { -(-x).exp().ln_1p() } else { x - x.exp().ln_1p() }
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

impl Dual {
    pub fn chosen(value: f64) -> Dual {
        Dual { value, chosen: 1.0, rejected: 0.0 }
    }

    pub fn rejected(value: f64) -> Dual {
        Dual { value, chosen: 0.0, rejected: 1.0 }
    }

    pub fn constant(value: f64) -> Dual {
        Dual { value, chosen: 0.0, rejected: 0.0 }
    }

    /// The chain rule.
    fn map(self, value: f64, slope: f64) -> Dual {
        Dual { value, chosen: self.chosen * slope, rejected: self.rejected * slope }
    }

    pub fn exp(self) -> Dual {
        let value = self.value.exp();
        self.map(value, value)
    }

    pub fn sigmoid(self) -> Dual {
        let value = sigmoid(self.value);
        self.map(value, value * (1.0 - value))
    }

    pub fn log_sigmoid(self) -> Dual {
        self.map(log_sigmoid(self.value), sigmoid(-self.value))
    }

    pub fn square(self) -> Dual {
        self.map(self.value * self.value, 2.0 * self.value)
    }

    pub fn relu(self) -> Dual {
        if self.value > 0.0 { self } else { Dual::constant(0.0) }
    }

    pub fn at_most(self, most: f64) -> Dual {
        if self.value > most { Dual::constant(most) } else { self }
    }
}

impl Neg for Dual {
    type Output = Dual;

    fn neg(self) -> Dual {
        self.map(-self.value, -1.0)
    }
}

impl Add for Dual {
    type Output = Dual;

    fn add(self, other: Dual) -> Dual {
        Dual {
            value: self.value + other.value,
            chosen: self.chosen + other.chosen,
            rejected: self.rejected + other.rejected,
        }
    }
}

impl Sub for Dual {
    type Output = Dual;

    fn sub(self, other: Dual) -> Dual {
        self + -other
    }
}

impl Mul for Dual {
    type Output = Dual;

    fn mul(self, other: Dual) -> Dual {
        Dual {
            value: self.value * other.value,
            chosen: self.chosen * other.value + self.value * other.chosen,
            rejected: self.rejected * other.value + self.value * other.rejected,
        }
    }
}

impl Add<f64> for Dual {
    type Output = Dual;

    fn add(self, other: f64) -> Dual {
        self.map(self.value + other, 1.0)
    }
}

impl Sub<f64> for Dual {
    type Output = Dual;

    fn sub(self, other: f64) -> Dual {
        self.map(self.value - other, 1.0)
    }
}

impl Mul<f64> for Dual {
    type Output = Dual;

    fn mul(self, factor: f64) -> Dual {
        self.map(self.value * factor, factor)
    }
}

impl Div<f64> for Dual {
    type Output = Dual;

    fn div(self, divisor: f64) -> Dual {
        self.map(self.value / divisor, 1.0 / divisor)
    }
}
