// The precompiled header of tests that see torch. Files still include what they use.
#pragma once
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "models/torch_pch.h"
