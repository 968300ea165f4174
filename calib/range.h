// From a histogram of magnitudes to the range of symmetric INT8: scale = range / 127.
#pragma once
#include <string>

#include "calib/histogram.h"

namespace octet {

/// How a static activation range is chosen. All but kAbsmax may clip.
/// A token a thousand times larger than the rest (position 0 of many language models, in the input
/// of down_proj) also rules the squared error and, through the bin width, the resolution of every
/// search; a percentile of the histogram of per-token maxima (SiteStatistics::tokens) leaves such
/// tokens out.
enum class RangeMethod { kAbsmax, kPercentile, kMse, kEntropy };

/// The range in real units, 0 < range <= absmax; 0 when the histogram holds nothing but zeros.
///
/// kAbsmax: the largest magnitude seen; nothing is clipped.
///
/// kPercentile: the upper edge of the first bin at which at least `percentile` (0 < percentile <=
/// 100) of all values, zeros included, lie at or below; never more than absmax, and never less than
/// the first bin in use, however many zeros there are. (ModelOpt takes the lower edge, which clips
/// more than was asked for.)
///
/// kMse: the bin edge from 128 bins on, or absmax, with the least sum of count * (fq(c) - c)^2 over
/// bin centres c, where fq(c) = scale * clamp(half-even(c / scale), -127, 127); the smaller range
/// of equals. After ModelOpt / pytorch-quantization `_compute_amax_mse`, which tries bin centres.
///
/// kEntropy: ModelOpt / pytorch-quantization `_compute_amax_entropy`: for i from 128 bins to all,
/// KL divergence of the first i bins, with what lies above added to bin i - 1, from the same bins
/// averaged over the non-empty ones in each of 128 levels (level of bin j: floor(128 j / i)), where
/// bin 0 takes the count of bin 1; the last of equals. Here the histogram ends with the bin of
/// absmax, that last edge is absmax itself, and a threshold whose bins below hold nothing is never
/// chosen (there the published code compares with NaN).
///
/// With fewer than 128 bins in use (absmax below 2^-119) kMse and kEntropy give absmax.
double find_range(const Histogram& histogram, RangeMethod method, double percentile = 99.99);

/// "absmax", "percentile", "mse", "entropy"; UsageError for anything else.
RangeMethod parse_range_method(const std::string& name);
const char* name(RangeMethod method);

}  // namespace octet
