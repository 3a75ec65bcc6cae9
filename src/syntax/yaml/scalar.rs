//! What a YAML scalar without quotes means.
//!
//! The frameworks load their files with `PyYAML`, which follows YAML 1.1 with habits of its own: `1e-5` is a string,
//! `yes` is true, `017` is fifteen. Others (Hydra among them) load with `OmegaConf`, which reads `1e-5` as a number.
//! Which one is right is a question about the program, so the loader is an argument.

use super::super::Scalar;

/// Whose reading of a plain scalar counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum YamlLoader {
    /// `yaml.safe_load`.
    PyYaml,
    /// `OmegaConf.load`: more numbers, no dates.
    OmegaConf,
}

/// The value of a plain scalar without a tag.
pub fn resolve(text: &str, loader: YamlLoader) -> Scalar {
    if text.is_empty() || is_null(text) {
        return Scalar::Null;
    }
    if let Some(truth) = truth(text) {
        return Scalar::Bool(truth);
    }
    if is_float(text) || (loader == YamlLoader::OmegaConf && is_omegaconf_float(text)) {
        return float(text).map_or_else(|| Scalar::Str(text.to_owned()), Scalar::Float);
    }
    if is_int(text) {
        return int(text).unwrap_or_else(|| Scalar::Str(text.to_owned()));
    }
    if loader == YamlLoader::PyYaml && is_timestamp(text) {
        return Scalar::Date(text.to_owned());
    }
    Scalar::Str(text.to_owned())
}

/// The value of a scalar with a core tag (`str` of `!!str`); `None` where the tag does not take the text.
pub(super) fn construct(tag: &str, text: &str) -> Option<Scalar> {
    match tag {
        "str" => Some(Scalar::Str(text.to_owned())),
        "null" => Some(Scalar::Null),
        "bool" => truth(&text.to_ascii_lowercase()).map(Scalar::Bool),
        "int" => int(text),
        "float" => float(text).map(Scalar::Float),
        "timestamp" => is_timestamp(text).then(|| Scalar::Date(text.to_owned())),
        _ => None,
    }
}

fn is_null(text: &str) -> bool {
    matches!(text, "~" | "null" | "Null" | "NULL")
}

fn truth(text: &str) -> Option<bool> {
    match text {
        "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => Some(true),
        "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => Some(false),
        _ => None,
    }
}

/// `yaml.resolver`, tag `float`: a point is required, an exponent needs its sign, `-.5` is no number.
fn is_float(text: &str) -> bool {
    let whole = Cursor::new(text).sign().digit().digits_or_lines();
    let pointed = whole.one(b".").digits_or_lines();
    let bare = Cursor::new(text).one(b".").digit().digits_or_lines();
    let clock = whole.sexagesimal().one(b".").digits_or_lines();
    is_special_float(text)
        || [pointed, pointed.exponent(true), bare, bare.exponent(true), clock].iter().any(Cursor::end)
}

fn is_special_float(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    matches!(unsigned, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN")
}

/// What `OmegaConf` adds: an exponent may lack its sign, and then the point may be missing too.
fn is_omegaconf_float(text: &str) -> bool {
    let whole = Cursor::new(text).sign().grouped_digits();
    let pointed = whole.one(b".").digits_or_lines();
    let bare = Cursor::new(text).one(b".").grouped_digits();
    pointed.end() || [pointed.exponent(false), whole.exponent(false), bare.exponent(true), bare].iter().any(Cursor::end)
}

/// `yaml.resolver`, tag `int`.
fn is_int(text: &str) -> bool {
    let it = Cursor::new(text).sign();
    let zero = it.one(b"0");
    let decimal = it.one(b"123456789").digits_or_lines();
    [
        zero,
        decimal,
        zero.one(b"b").one(b"01_").many(b"01_"),
        zero.one(b"01234567_").many(b"01234567_"),
        zero.one(b"x").one(b"0123456789abcdefABCDEF_").many(b"0123456789abcdefABCDEF_"),
        decimal.sexagesimal(),
    ]
    .iter()
    .any(Cursor::end)
}

/// `yaml.resolver`, tag `timestamp`.
fn is_timestamp(text: &str) -> bool {
    let year = Cursor::new(text).digit().digit().digit().digit();
    let date = year.one(b"-").digit().digit().one(b"-").digit().digit();
    if date.end() {
        return true;
    }
    let day = year.one(b"-").one_or_two_digits().one(b"-").one_or_two_digits();
    let (letter, blank) = (day.one(b"Tt"), day.one(b" \t").many(b" \t"));
    let start = if letter.0.is_some() { letter } else { blank };
    let time = start.one_or_two_digits().one(b":").digit().digit().one(b":").digit().digit();
    let fraction = time.one(b".").many(DIGITS);
    let time = if fraction.0.is_some() { fraction } else { time };
    let zone = time.many(b" \t");
    let offset = zone.one(b"+-").one_or_two_digits();
    [time, zone.one(b"Z"), offset, offset.one(b":").digit().digit()].iter().any(Cursor::end)
}

/// `construct_yaml_int`; beyond 64 bits a float.
fn int(text: &str) -> Option<Scalar> {
    let text = text.replace('_', "");
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(&text)),
    };
    let signed = |value: f64| if negative { -value } else { value };
    let (radix, digits) = match digits.as_bytes() {
        [b'0', b'b', ..] => (2, &digits[2..]),
        [b'0', b'x', ..] => (16, &digits[2..]),
        [b'0', _, ..] if !digits.contains(':') => (8, &digits[1..]),
        _ => (10, digits),
    };
    if digits.contains(':') {
        return Some(whole(signed(sexagesimal(digits)?)));
    }
    if digits.starts_with(['-', '+']) {
        return None;
    }
    match i64::from_str_radix(digits, radix) {
        Ok(value) => Some(Scalar::Int(if negative { -value } else { value })),
        Err(_) if digits.is_empty() || !digits.chars().all(|digit| digit.is_digit(radix)) => None,
        Err(_) if radix == 10 => digits.parse().ok().map(signed).map(Scalar::Float),
        Err(_) => Some(whole(signed(
            digits
                .chars()
                .fold(0.0, |sum, digit| sum * f64::from(radix) + f64::from(digit.to_digit(radix).unwrap_or(0))),
        ))),
    }
}

/// `construct_yaml_float`.
fn float(text: &str) -> Option<f64> {
    let text = text.replace('_', "").to_ascii_lowercase();
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => (-1.0, rest),
        None => (1.0, text.strip_prefix('+').unwrap_or(&text)),
    };
    let value = match digits {
        ".inf" => f64::INFINITY,
        ".nan" => f64::NAN,
        _ if digits.contains(':') => sexagesimal(digits)?,
        _ => digits.parse().ok()?,
    };
    Some(sign * value)
}

/// Base sixty, as in `1:30`.
fn sexagesimal(text: &str) -> Option<f64> {
    text.split(':').try_fold(0.0, |sum, part| Some(sum * 60.0 + part.parse::<f64>().ok()?))
}

/// A whole number that was computed as a float: an [`Scalar::Int`] while that is exact.
#[expect(clippy::cast_possible_truncation, reason = "guarded by the range in which every whole float is exact")]
fn whole(value: f64) -> Scalar {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if value.abs() <= EXACT { Scalar::Int(value as i64) } else { Scalar::Float(value) }
}

const DIGITS: &[u8] = b"0123456789";

/// A hand-written regular expression: the rest of the text while it matches, `None` once it does not.
#[derive(Clone, Copy)]
struct Cursor<'a>(Option<&'a [u8]>);

impl<'a> Cursor<'a> {
    fn new(text: &'a str) -> Self {
        Self(Some(text.as_bytes()))
    }

    /// `$`
    fn end(&self) -> bool {
        self.0.is_some_and(<[u8]>::is_empty)
    }

    /// `[set]`
    fn one(self, set: &[u8]) -> Self {
        match self.0 {
            Some([first, rest @ ..]) if set.contains(first) => Self(Some(rest)),
            _ => Self(None),
        }
    }

    /// `[set]*`
    fn many(self, set: &[u8]) -> Self {
        let Some(text) = self.0 else { return self };
        let end = text.iter().position(|byte| !set.contains(byte)).unwrap_or(text.len());
        Self(Some(&text[end..]))
    }

    /// `[-+]?`
    fn sign(self) -> Self {
        let signed = self.one(b"-+");
        if signed.0.is_some() { signed } else { self }
    }

    /// `[0-9]`
    fn digit(self) -> Self {
        self.one(DIGITS)
    }

    /// `[0-9][0-9]?`
    fn one_or_two_digits(self) -> Self {
        let first = self.digit();
        let second = first.digit();
        if second.0.is_some() { second } else { first }
    }

    /// `[0-9_]*`
    fn digits_or_lines(self) -> Self {
        self.many(b"0123456789_")
    }

    /// `[0-9]+(_[0-9]+)*`
    fn grouped_digits(self) -> Self {
        let mut it = self.digit().many(DIGITS);
        while let group @ Self(Some(_)) = it.one(b"_").digit() {
            it = group.many(DIGITS);
        }
        it
    }

    /// `[eE][-+][0-9]+`, or with an optional sign.
    fn exponent(self, sign_required: bool) -> Self {
        let it = self.one(b"eE");
        let it = if sign_required { it.one(b"-+") } else { it.sign() };
        it.digit().many(DIGITS)
    }

    /// `(:[0-5]?[0-9])+`
    fn sexagesimal(self) -> Self {
        let mut it = self.sixty();
        while let next @ Self(Some(_)) = it.sixty() {
            it = next;
        }
        it
    }

    fn sixty(self) -> Self {
        let colon = self.one(b":");
        let two = colon.one(b"012345").digit();
        if two.0.is_some() { two } else { colon.digit() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Text, what `yaml.safe_load` of `PyYAML` 6.0.3 made of it, and what `OmegaConf` 2.4.0's loader made of it.
    const RECORDED: &str = include_str!("scalars.tsv");

    fn show(scalar: &Scalar) -> String {
        match scalar {
            Scalar::Null => "null".into(),
            Scalar::Bool(value) => value.to_string(),
            Scalar::Int(value) => value.to_string(),
            Scalar::Float(value) if value.is_finite() => format!("f:{value}"),
            Scalar::Float(value) => value.to_string(),
            Scalar::Str(text) => format!("\"{text}\""),
            Scalar::Date(text) => format!("@{text}"),
        }
    }

    /// Floats are recorded as Python prints them.
    fn as_rust_prints(recorded: &str) -> String {
        match recorded.strip_prefix("f:") {
            Some(float) => format!("f:{}", float.parse::<f64>().expect("a float")),
            None => recorded.to_owned(),
        }
    }

    #[test]
    fn scalars_read_as_the_python_loaders_read_them() {
        let mut seen = 0;
        for line in RECORDED.lines() {
            let [text, pyyaml, omegaconf] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("{line}") };
            assert_eq!(show(&resolve(text, YamlLoader::PyYaml)), as_rust_prints(pyyaml), "{text} by PyYAML");
            assert_eq!(show(&resolve(text, YamlLoader::OmegaConf)), as_rust_prints(omegaconf), "{text} by OmegaConf");
            seen += 1;
        }
        assert!(seen > 100);
    }
}
