//! Weights in safetensors files, read a tensor at a time: a file is never held in memory as a whole.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Component, Path, PathBuf};

use safetensors::tensor::{Dtype, Metadata};
use serde_json::Value;

use super::super::error::RunError;
use super::super::kernels::{Mat, Real};
use super::super::open;
use super::build::Source;
use super::weights::Kind;

/// Bytes of a header beyond which a file is no weight file.
const LONGEST_HEADER: u64 = 100_000_000;

/// An open file.
pub struct TensorFile {
    path: PathBuf,
    file: File,
    metadata: Metadata,
    /// Where the numbers start.
    start: u64,
    length: u64,
}

impl TensorFile {
    /// Reads the header.
    pub fn open(path: &Path) -> Result<TensorFile, RunError> {
        let failed = |source| RunError::Read { path: path.to_owned(), source };
        let broken = |reason: &str| RunError::content(path, "header", reason);
        let mut file = open::open(path).map_err(failed)?;
        let length = file.metadata().map_err(failed)?.len();
        let mut size = [0; 8];
        file.read_exact(&mut size).map_err(|_| broken("the file is too short for a safetensors file"))?;
        let size = u64::from_le_bytes(size);
        if size > LONGEST_HEADER || size + 8 > length {
            return Err(broken("is longer than the file: it is cut off, or no safetensors file"));
        }
        let mut header = vec![0; size as usize];
        file.read_exact(&mut header).map_err(failed)?;
        let metadata = serde_json::from_slice(&header).map_err(|error| broken(&error.to_string()))?;
        Ok(TensorFile { path: path.to_owned(), file, metadata, start: size + 8, length })
    }

    /// The names of all tensors.
    pub fn names(&self) -> Vec<String> {
        self.metadata.tensors().into_keys().collect()
    }

    /// The sizes of a tensor.
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        self.metadata.info(name).map(|info| info.shape.as_slice())
    }

    /// The numbers of a tensor, as 32 bits.
    pub fn read(&mut self, name: &str) -> Result<Vec<f32>, RunError> {
        let broken = |path: &Path, reason: String| RunError::content(path, format!("tensor `{name}`"), reason);
        let Some(info) = self.metadata.info(name) else {
            return Err(broken(&self.path, "is missing".to_owned()));
        };
        let (from, to) = info.data_offsets;
        if (to as u64).checked_add(self.start).is_none_or(|end| end > self.length) {
            return Err(broken(&self.path, format!("ends beyond the file, which is cut off at {} bytes", self.length)));
        }
        let dtype = info.dtype;
        let mut bytes = Vec::new();
        if bytes.try_reserve_exact(to - from).is_err() {
            return Err(broken(&self.path, format!("takes {} bytes, which there is no memory for", to - from)));
        }
        bytes.resize(to - from, 0);
        let read =
            self.file.seek(SeekFrom::Start(self.start + from as u64)).and_then(|_| self.file.read_exact(&mut bytes));
        read.map_err(|source| RunError::Read { path: self.path.clone(), source })?;
        let numbers: Vec<f32> = match dtype {
            Dtype::F32 => bytes.as_chunks().0.iter().map(|&four| f32::from_le_bytes(four)).collect(),
            Dtype::F64 => bytes.as_chunks().0.iter().map(|&eight| f64::from_le_bytes(eight) as f32).collect(),
            Dtype::BF16 => bytes
                .as_chunks()
                .0
                .iter()
                .map(|&two| f32::from_bits(u32::from(u16::from_le_bytes(two)) << 16))
                .collect(),
            Dtype::F16 => bytes.as_chunks().0.iter().map(|&two| half(u16::from_le_bytes(two))).collect(),
            other => return Err(broken(&self.path, format!("holds {other:?}, from which no model is trained"))),
        };
        match numbers.iter().position(|number| !number.is_finite()) {
            None => Ok(numbers),
            // Every loss would be none, too, and nobody would know why.
            Some(at) => Err(broken(
                &self.path,
                format!("number {} is {}, which nothing can be trained from", at + 1, numbers[at]),
            )),
        }
    }
}

/// A number of 16 bits with 5 bits of exponent.
fn half(bits: u16) -> f32 {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let (exponent, fraction) = (i32::from(bits >> 10 & 31), f32::from(bits & 1023));
    sign * match exponent {
        0 => fraction * 2_f32.powi(-24),
        31 if fraction == 0.0 => f32::INFINITY,
        31 => f32::NAN,
        _ => (1024.0 + fraction) * 2_f32.powi(exponent - 25),
    }
}

/// The weights of a model's folder.
pub(super) struct Folder {
    files: Vec<TensorFile>,
    /// In which file a tensor is.
    place: BTreeMap<String, usize>,
    path: PathBuf,
}

impl Folder {
    pub(super) fn open(folder: &Path) -> Result<Folder, RunError> {
        let single = folder.join("model.safetensors");
        let index = folder.join("model.safetensors.index.json");
        let paths = if single.is_file() {
            vec![single]
        } else if index.is_file() {
            shards(&index)?
        } else {
            let other = folder.join("pytorch_model.bin").is_file();
            let found =
                if other { "only pytorch_model.bin, which is not read: save it as safetensors" } else { "no weights" };
            return Err(RunError::content(folder, "model.safetensors", format!("is missing; the folder has {found}")));
        };
        let files = paths.iter().map(|path| TensorFile::open(path)).collect::<Result<Vec<_>, _>>()?;
        let place =
            files.iter().enumerate().flat_map(|(at, file)| file.names().into_iter().map(move |name| (name, at)));
        Ok(Folder { place: place.collect(), files, path: folder.to_owned() })
    }
}

/// The files that an index names.
fn shards(index: &Path) -> Result<Vec<PathBuf>, RunError> {
    let text = open::text(index).map_err(|source| RunError::Read { path: index.to_owned(), source })?;
    let wrong = |reason: String| RunError::content(index, "`weight_map`", reason);
    let value: Value = serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
    let map = value.get("weight_map").and_then(Value::as_object).ok_or_else(|| wrong("is missing".to_owned()))?;
    let mut names: Vec<&str> = map.values().filter_map(Value::as_str).collect();
    names.sort_unstable();
    names.dedup();
    let leaves = |name: &&&str| {
        Path::new(name).components().any(|part| !matches!(part, Component::Normal(_) | Component::CurDir))
    };
    if let Some(name) = names.iter().find(leaves) {
        return Err(wrong(format!("names {name:?}, which is no file of this folder")));
    }
    let folder = index.parent().unwrap_or(Path::new("."));
    Ok(names.into_iter().map(|name| folder.join(name)).collect())
}

impl<T: Real> Source<T> for Folder {
    fn tensor(&mut self, name: &str, kind: Kind, rows: usize, cols: usize) -> Result<Mat<T>, RunError> {
        // The first GPT-2 files have no name of the model before those of its parts.
        let short = name.strip_prefix("transformer.").or_else(|| name.strip_prefix("model.")).unwrap_or(name);
        let found = [name, short].into_iter().find_map(|name| Some((name, *self.place.get(name)?)));
        let Some((name, at)) = found else {
            return Err(RunError::content(&self.path, format!("tensor `{name}`"), "is in none of the weight files"));
        };
        let file = &mut self.files[at];
        let vector = matches!(kind, Kind::Norm | Kind::Bias);
        let expected = if vector {
            vec![cols]
        } else if kind == Kind::Turned {
            vec![cols, rows]
        } else {
            vec![rows, cols]
        };
        if file.shape(name) != Some(&expected[..]) {
            let reason = format!(
                "has the sizes {:?}, but by config.json they are {expected:?}",
                file.shape(name).unwrap_or(&[])
            );
            return Err(RunError::content(&file.path, format!("tensor `{name}`"), reason));
        }
        let numbers: Vec<T> = file.read(name)?.into_iter().map(T::of_f32).collect();
        Ok(in_rows(kind, rows, cols, numbers))
    }
}

/// A matrix with a row for each output, whichever way a file holds it.
pub(crate) fn in_rows<T: Real>(kind: Kind, rows: usize, cols: usize, numbers: Vec<T>) -> Mat<T> {
    if kind == Kind::Turned { Mat::new(cols, rows, numbers).turned() } else { Mat::new(rows, cols, numbers) }
}

#[cfg(test)]
mod tests {
    use super::half;

    #[test]
    fn numbers_of_sixteen_bits_are_widened() {
        for (bits, expected) in [(0x3c00, 1.0), (0xc000, -2.0), (0x0001, 5.960_464_5e-8), (0x7bff, 65504.0), (0, 0.0)] {
            assert_eq!(half(bits).to_bits(), f32::to_bits(expected), "{bits:x}");
        }
        assert!(half(0x7c00).is_infinite() && half(0x7e00).is_nan());
    }
}
