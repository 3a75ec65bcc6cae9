//! Temporary driver of the miner until `dpo-lint learn` exists: `mine PACKAGE INDEX OUTPUT ONLY WHEELS...`.

use std::path::PathBuf;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let mut next = || args.next().ok_or("usage: mine PACKAGE INDEX OUTPUT ONLY WHEELS...");
    let (package, index, output, only) = (next()?, next()?, next()?, next()?);
    let only: Vec<String> = only.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect();
    let index = std::fs::read_to_string(index)?;
    let options = dpo_lint::mine::Options { package: &package, index: Some(&index), only: &only };
    let wheels: Vec<PathBuf> = args.map(PathBuf::from).collect();
    let mined = dpo_lint::mine::mine(&options, &wheels)?;
    std::fs::write(output, dpo_lint::mine::render(&mined))?;
    Ok(())
}
