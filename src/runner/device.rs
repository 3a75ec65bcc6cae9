//! Where a run is computed.

use std::collections::HashMap;
use std::sync::Arc;

use super::error::RunError;
#[cfg(feature = "cuda")]
use super::kernels::gpu::{self, Gpu};
use super::kernels::{Mat, Real};

/// The processor of this machine, or a GPU.
#[derive(Debug, Clone, Default)]
pub enum Device {
    /// The processor.
    #[default]
    Cpu,
    /// The first GPU of NVIDIA.
    #[cfg(feature = "cuda")]
    Gpu(Arc<Gpu>),
}

impl Device {
    /// The first GPU. What keeps it from being used is said: the build, a missing library, the driver.
    pub fn gpu() -> Result<Device, RunError> {
        #[cfg(feature = "cuda")]
        return Ok(Device::Gpu(Gpu::open()?));
        #[cfg(not(feature = "cuda"))]
        Err(RunError::Gpu(String::from(
            "this build cannot; `cargo install --path . --features cuda` makes one that can",
        )))
    }

    /// Its name, for a report.
    pub fn name(&self) -> &str {
        match self {
            Device::Cpu => "CPU",
            #[cfg(feature = "cuda")]
            Device::Gpu(gpu) => gpu.name(),
        }
    }

    /// Bytes of its own memory: those that are free, and all. The processor has none of its own.
    pub fn memory(&self) -> Option<(u64, u64)> {
        match self {
            Device::Cpu => None,
            #[cfg(feature = "cuda")]
            Device::Gpu(gpu) => gpu.memory(),
        }
    }

    /// Does work on it. Parts of that may fail without having a way to say so.
    pub fn run<R>(&self, work: impl FnOnce() -> Result<R, RunError>) -> Result<R, RunError> {
        match self {
            Device::Cpu => work(),
            #[cfg(feature = "cuda")]
            Device::Gpu(_) => gpu::guarded(work)?,
        }
    }
}

/// What was moved to a device so far.
#[derive(Debug)]
pub(super) struct Moved<'d, T> {
    device: &'d Device,
    /// The numbers that each matrix became, with the matrix itself: while it lives, nothing else has its address.
    #[cfg_attr(not(feature = "cuda"), expect(dead_code, reason = "nothing moves on a CPU"))]
    found: HashMap<*const Mat<T>, [Arc<Mat<T>>; 2]>,
}

impl<T: Real> Moved<'_, T> {
    /// Nothing yet.
    pub fn new(device: &Device) -> Moved<'_, T> {
        Moved { device, found: HashMap::new() }
    }

    /// A matrix where the device computes: the same one each time.
    pub fn get(&mut self, matrix: &Arc<Mat<T>>) -> Arc<Mat<T>> {
        match self.device {
            Device::Cpu => Arc::clone(matrix),
            #[cfg(feature = "cuda")]
            Device::Gpu(_) if matrix.slice().is_some() => Arc::clone(matrix),
            #[cfg(feature = "cuda")]
            Device::Gpu(gpu) => {
                let new = || [Arc::clone(matrix), Arc::new(matrix.to_gpu(gpu))];
                Arc::clone(&self.found.entry(Arc::as_ptr(matrix)).or_insert_with(new)[1])
            }
        }
    }
}
