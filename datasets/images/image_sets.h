// The two kinds of image sets behind open_images.
#pragma once
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "datasets/images/images.h"

namespace octet {

/// The IDX files that idx:IMAGES,LABELS or idx:DIR reads for `split`, images before labels; of DIR
/// the labels of training come too, as they name the classes.
std::vector<std::filesystem::path> idx_files(const DataSpec& spec, Split split);

/// All images of images:DIR, whatever their split, sorted.
std::vector<std::filesystem::path> folder_files(const DataSpec& spec);

std::unique_ptr<ImageSet> open_idx(const DataSpec& spec, Split split);
std::unique_ptr<ImageSet> open_folder(const DataSpec& spec, Split split);

}  // namespace octet
