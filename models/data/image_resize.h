// 8-bit images resized and converted as the Python Imaging Library does it, to the same bytes.
#pragma once
#include "datasets/images/images.h"

namespace octet {

/// By the numbers that preprocessor_config.json uses.
enum class Resample { kBilinear = 2, kBicubic = 3 };

/// The filter is stretched by the factor of reduction, so that it also smooths. Columns first, then
/// rows, rounded to 8 bits after each; a direction that keeps its size is left alone.
Image resize_image(const Image& image, int64_t height, int64_t width, Resample resample);

/// Gray to three equal channels; three channels to luma (ITU-R 601-2). Error for other counts,
/// which only pass unchanged.
Image with_channels(const Image& image, int64_t channels);

}  // namespace octet
