// The precompiled header of tests that see no torch. Files still include what they use.
#pragma once
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/plain_pch.h"
