// What the figures of a report were measured on. Free of torch.
#pragma once
#include <string>

namespace octet {

/// One line about the hardware: CPU model, threads, dot-product level, GPU where used. Opens the
/// device; errors are those of open_device (models/run/device.h).
std::string hardware_line(const std::string& device, int threads);

}  // namespace octet
