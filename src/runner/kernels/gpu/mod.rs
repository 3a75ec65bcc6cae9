//! The same work on a GPU: matrix products by cuBLAS, everything else by kernels of our own, which are compiled when the first run
//! starts.
//!
//! Nothing of CUDA is needed to build this, nor to start the program: driver, cuBLAS and the run-time compiler are looked for when a
//! GPU is asked for. (candle's own GPU part needs the compiler `nvcc` to be built, and a program with it does not start on a machine
//! without a driver.)
//!
//! On a CPU no operation can fail; on a GPU each one can, for memory at least. Such a failure unwinds to [`guarded`], past operations
//! that need not know of it.

mod attention;
mod layers;
mod matrix;
mod training;

use std::collections::BTreeMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;

use cudarc::cublas::{self, CudaBlas};
use cudarc::driver::{
    CudaContext, CudaFunction, CudaSlice, CudaStream, DeviceRepr, DriverError, LaunchConfig, PushKernelArg, sys,
};
use cudarc::nvrtc::{self, CompileError, CompileOptions, Ptx};

pub use attention::{Heads, Inputs, Places};
pub use layers::{Angles, Norm, Score, bend, bend_back};
pub use matrix::{Rectangle, product};
pub use training::Step;

use super::super::error::RunError;

/// The kernels, as one program.
const SOURCE: &str = concat!(
    include_str!("cuda/common.cu"),
    include_str!("cuda/matrix.cu"),
    include_str!("cuda/rows.cu"),
    include_str!("cuda/attention.cu"),
);

/// Threads of a block; the kernels count on it.
const THREADS: u32 = 128;

/// Blocks at most of a kernel that goes over numbers: more only wait.
const BLOCKS: u64 = 4096;

/// A GPU, and what is compiled for it.
pub struct Gpu {
    stream: Arc<CudaStream>,
    blas: CudaBlas,
    kernels: BTreeMap<String, CudaFunction>,
    name: String,
}

/// Numbers on a GPU.
pub struct Slice {
    numbers: CudaSlice<f32>,
    gpu: Arc<Gpu>,
}

/// Why the work on a GPU cannot go on.
struct Failure(String);

/// An argument of a kernel.
#[derive(Clone, Copy)]
enum Arg<'a> {
    /// Numbers that are read or written. The borrow checker cannot see which: operations say it by taking `&mut`.
    Numbers(&'a Slice),
    /// Numbers that there may be.
    Maybe(Option<&'a Slice>),
    Words(&'a CudaSlice<u32>),
    Wide(&'a CudaSlice<f64>),
    Count(u64),
    Size(u32),
    Float(f32),
    Heads(&'a attention::Heads),
}

impl Gpu {
    /// The first GPU.
    pub fn open() -> Result<Arc<Gpu>, RunError> {
        check_libraries()?;
        let failed = |error: DriverError| RunError::Gpu(spoken(error));
        let context = CudaContext::new(0).map_err(failed)?;
        // All work is done in one order, on one stream: there is nothing to wait for.
        disable_events(&context);
        keep_memory(&context);
        let program =
            compile(&context).map_err(|error| RunError::Gpu(format!("the kernels do not compile: {error}")))?;
        let module = context.load_module(program).map_err(failed)?;
        let mut kernels = BTreeMap::new();
        for name in names(SOURCE) {
            kernels.insert(name.to_owned(), module.load_function(name).map_err(failed)?);
        }
        let stream = context.default_stream();
        let blas = CudaBlas::new(Arc::clone(&stream)).map_err(|error| RunError::Gpu(format!("cuBLAS: {error:?}")))?;
        let name = context.name().map_err(failed)?;
        Ok(Arc::new(Gpu { stream, blas, kernels, name }))
    }

    /// What its maker calls it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Bytes of its memory: those that are free, and all. What a run gave back is not free: the driver keeps it for the next step.
    pub fn memory(&self) -> Option<(u64, u64)> {
        let (free, all) = self.stream.context().mem_get_info().ok()?;
        Some((free as u64, all as u64))
    }

    /// Copies numbers to it.
    fn upload<T: DeviceRepr>(&self, numbers: &[T]) -> CudaSlice<T> {
        // It gives out no memory of size 0.
        if numbers.is_empty() {
            return or_unwind(self.stream.null());
        }
        or_unwind(self.stream.clone_htod(numbers))
    }

    /// Copies numbers from it.
    fn download<T: DeviceRepr>(&self, numbers: &CudaSlice<T>) -> Vec<T> {
        let found = or_unwind(self.stream.clone_dtoh(numbers));
        or_unwind(self.stream.synchronize());
        found
    }

    /// Numbers that are 0.
    pub(in crate::runner) fn zeros(self: &Arc<Self>, count: usize) -> Slice {
        let numbers = or_unwind(if count == 0 { self.stream.null() } else { self.stream.alloc_zeros(count) });
        Slice { numbers, gpu: Arc::clone(self) }
    }

    /// Numbers of any value: what they are made for writes all of them.
    #[expect(unsafe_code, reason = "memory that nobody has written")]
    fn fresh(self: &Arc<Self>, count: usize) -> Slice {
        // SAFETY: any bits are a number, and none is read before it is written.
        let numbers = or_unwind(if count == 0 { self.stream.null() } else { unsafe { self.stream.alloc(count) } });
        Slice { numbers, gpu: Arc::clone(self) }
    }

    /// Starts a kernel that goes over `count` things, wherever a thread stands.
    fn each(&self, kernel: &str, count: usize, args: &[Arg<'_>]) {
        let blocks = (count as u64).div_ceil(u64::from(THREADS)).min(BLOCKS);
        self.start(kernel, (blocks as u32, 1), args);
    }

    /// Starts a kernel with a block for each row, and for each of `heads`.
    fn start(&self, kernel: &str, blocks: (u32, u32), args: &[Arg<'_>]) {
        self.start_with(kernel, blocks, 0, args);
    }

    /// The same with memory that the threads of a block share, in bytes.
    fn start_with(&self, kernel: &str, (rows, heads): (u32, u32), shared_mem_bytes: u32, args: &[Arg<'_>]) {
        if rows == 0 || heads == 0 {
            return;
        }
        let config = LaunchConfig { grid_dim: (rows, heads, 1), block_dim: (THREADS, 1, 1), shared_mem_bytes };
        launch(&self.stream, &self.kernels[kernel], config, args);
    }
}

impl Slice {
    /// Copies numbers to a GPU.
    pub fn new(gpu: &Arc<Gpu>, numbers: &[f32]) -> Slice {
        Slice { numbers: gpu.upload(numbers), gpu: Arc::clone(gpu) }
    }

    /// Copies the numbers from the GPU.
    pub fn to_host(&self) -> Vec<f32> {
        self.gpu.download(&self.numbers)
    }

    /// Where they are.
    pub fn gpu(&self) -> &Arc<Gpu> {
        &self.gpu
    }

    pub(super) fn len(&self) -> usize {
        self.numbers.len()
    }
}

impl Clone for Slice {
    fn clone(&self) -> Slice {
        let mut copy = self.gpu.fresh(self.len());
        if self.len() > 0 {
            or_unwind(self.gpu.stream.memcpy_dtod(&self.numbers, &mut copy.numbers));
        }
        copy
    }
}

impl fmt::Debug for Slice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} numbers on {}", self.len(), self.gpu.name)
    }
}

impl fmt::Debug for Gpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// Does work of which parts may fail on a GPU.
pub fn guarded<R>(work: impl FnOnce() -> R) -> Result<R, RunError> {
    // What a failure leaves half done is given up with the run.
    catch_unwind(AssertUnwindSafe(work)).map_err(|cause| match cause.downcast::<Failure>() {
        Ok(failure) => RunError::Gpu(failure.0),
        Err(cause) => resume_unwind(cause),
    })
}

/// The value, or the way to [`guarded`], on which nothing is printed.
fn or_unwind<R>(result: Result<R, DriverError>) -> R {
    result.unwrap_or_else(|error| fail(spoken(error)))
}

fn fail(what: String) -> ! {
    resume_unwind(Box::new(Failure(what)))
}

fn spoken(error: DriverError) -> String {
    match error.0 {
        sys::CUresult::CUDA_ERROR_OUT_OF_MEMORY => {
            String::from("its memory is too small for this run: a smaller batch or shorter rows take less")
        }
        sys::CUresult::CUDA_ERROR_NO_DEVICE => String::from("the driver finds none"),
        _ => format!("the driver says {error:?}"),
    }
}

/// Compiles the kernels. A compiler that is older than the GPU does not know it, and compiles for the oldest one that it knows; the driver
/// makes the rest of it.
fn compile(context: &CudaContext) -> Result<Ptx, String> {
    let own = context.compute_capability().map(|(major, minor)| CompileOptions {
        options: vec![format!("--gpu-architecture=compute_{major}{minor}")],
        ..CompileOptions::default()
    });
    let program = own.ok().and_then(|options| nvrtc::compile_ptx_with_opts(SOURCE, options).ok());
    let otherwise = || nvrtc::compile_ptx_with_opts(SOURCE, CompileOptions::default());
    program.map_or_else(otherwise, Ok).map_err(|error| match error {
        CompileError::CompileError { log, .. } => log.to_string_lossy().into_owned(),
        other => format!("{other:?}"),
    })
}

/// The names of all kernels.
fn names(source: &str) -> impl Iterator<Item = &str> {
    source.split("__global__ void ").skip(1).filter_map(|rest| rest.split('(').next())
}

/// Looks for the libraries: the bindings panic where one is missing.
#[expect(unsafe_code, reason = "loading a library runs its start-up code")]
fn check_libraries() -> Result<(), RunError> {
    const PATH: &str = "a CUDA toolkit has it, and so has PyTorch: add its folder to LD_LIBRARY_PATH";
    // SAFETY: libraries of CUDA have no start-up code that asks for anything.
    let missing = unsafe {
        match () {
            () if !sys::is_culib_present() => String::from("there is no driver of NVIDIA (libcuda) on this machine"),
            () if !cublas::sys::is_culib_present() => format!("cuBLAS (libcublas) is not found; {PATH}"),
            () if !nvrtc::sys::is_culib_present() => format!("NVRTC (libnvrtc) is not found; {PATH}"),
            () => return Ok(()),
        }
    };
    Err(RunError::Gpu(missing))
}

/// Takes no notes of who reads and writes what.
#[expect(unsafe_code, reason = "with several streams they would be needed")]
fn disable_events(context: &CudaContext) {
    // SAFETY: this module uses one stream alone.
    unsafe { context.disable_event_tracking() };
}

/// Lets the driver keep what is freed, for a step asks for what the one before gave back. Without it a run is slower, nothing else.
#[expect(unsafe_code, reason = "the bindings have no name for it")]
fn keep_memory(context: &CudaContext) {
    let mut all = u64::MAX;
    // SAFETY: the attribute is a number of 64 bits, which is copied before the call returns.
    unsafe {
        if let Ok(pool) = cudarc::driver::result::device::get_default_mem_pool(context.cu_device()) {
            let attribute = sys::CUmemPool_attribute::CU_MEMPOOL_ATTR_RELEASE_THRESHOLD;
            let _ = sys::cuMemPoolSetAttribute(pool, attribute, std::ptr::from_mut(&mut all).cast());
        }
    }
}

/// Starts a kernel.
#[expect(unsafe_code, reason = "nobody checks what a kernel does with its arguments")]
fn launch(stream: &CudaStream, kernel: &CudaFunction, config: LaunchConfig, args: &[Arg<'_>]) {
    const NONE: u64 = 0;
    let mut builder = stream.launch_builder(kernel);
    for arg in args {
        match arg {
            Arg::Numbers(slice) | Arg::Maybe(Some(slice)) => builder.arg(&slice.numbers),
            Arg::Maybe(None) => builder.arg(&NONE),
            Arg::Words(words) => builder.arg(*words),
            Arg::Wide(numbers) => builder.arg(*numbers),
            Arg::Count(count) => builder.arg(count),
            Arg::Size(size) => builder.arg(size),
            Arg::Float(number) => builder.arg(number),
            Arg::Heads(heads) => builder.arg(*heads),
        };
    }
    // SAFETY: every operation of this module hands its kernel the arguments that it declares, after it has compared the sizes.
    let started = unsafe { builder.launch(config) };
    or_unwind(started);
}
