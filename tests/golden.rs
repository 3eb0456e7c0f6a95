//! Golden transcripts, played in the modelled world.

use pimap_tests::transcript::play_file;
use pimap_tests::world::stage::WorldStage;
use std::path::Path;

fn play(name: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden").join(name);
    play_file(&path, &mut WorldStage::default());
}
