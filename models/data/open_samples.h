// DATA on a command line as the samples of a model.
#pragma once
#include <cstdint>
#include <memory>
#include <string>

#include "datasets/data_spec.h"
#include "models/data/samples.h"

namespace octet {

class SourceModel;

/// DATA (all its parts joined) as `model` reads it. Text is cut into windows of `length` tokens,
/// sentences are cut off at `length` tokens (0: the model's own limit). `split` is taken of data
/// kinds that have splits and do not name one. UsageError for a kind that does not fit the model.
std::unique_ptr<Samples> open_samples(const SourceModel& model, const std::string& data,
                                      Split split, int64_t length);

/// Windows of text: ids [B, length], each position's target is the next id.
std::unique_ptr<Samples> open_window_samples(const SourceModel& model, const std::string& data,
                                             int64_t length);

}  // namespace octet
