// The precompiled header of every target that sees torch. Files still include what they use.
// Autograd is left out: its templates would be instantiated again in every file, a second each, and
// few files need it.
#pragma once
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <fmt/format.h>

#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>
