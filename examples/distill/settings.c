/* settings.c - the settings as numbers. A, B and C are the constructed ones: a base student that has the skill but
 * writes itself off the task, and a teacher that continues what it reads. */
#include "settings.h"

#include <string.h>

static const setting settings[] = {
    {
        .name = "A",
        .task = "sum",
        .title = "Adding two numbers of four digits",
        .teacher = {.layers = 2, .dim = 64, .heads = 4, .kv_heads = 4, .hidden = 256},
        .student = {.layers = 2, .dim = 48, .heads = 4, .kv_heads = 4, .hidden = 192},
        .teacher_stage = {700, 32, 3e-3, 0.05, 50, 0.03, 0.1, {0.0}, 0},
        .base_stages = {{800, 32, 3e-3, 0.05, 50, 0.0, 0.0, {0.0}, 0}, {100, 64, 5e-4, 1.0, 0, 0.65, 0.08, {0.0}, 0}},
        .steps = 100,
        .prompts = 16,
        .rate = 1e-4,
        .evaluate_every = 10,
        .evaluate_prompts = 64,
        .final_prompts = 256,
    },
    {
        .name = "B",
        .task = "chain",
        .title = "A chain of four operations modulo ten",
        .teacher = {.layers = 2, .dim = 64, .heads = 4, .kv_heads = 4, .hidden = 256},
        .student = {.layers = 2, .dim = 48, .heads = 4, .kv_heads = 4, .hidden = 192},
        .teacher_stage = {700, 32, 3e-3, 0.05, 50, 0.03, 0.1, {0.0}, 0},
        .base_stages = {{800, 32, 3e-3, 0.05, 50, 0.0, 0.0, {0.0}, 0}, {100, 64, 5e-4, 1.0, 0, 0.9, 0.08, {0.0}, 0}},
        .steps = 100,
        .prompts = 16,
        .rate = 1e-4,
        .evaluate_every = 10,
        .evaluate_prompts = 64,
        .final_prompts = 256,
    },
    {
        .name = "C",
        .task = "lift",
        .title = "A lift that stops at five floors, with slips",
        .teacher = {.layers = 2, .dim = 48, .heads = 4, .kv_heads = 4, .hidden = 192},
        .student = {.layers = 1, .dim = 24, .heads = 2, .kv_heads = 2, .hidden = 96},
        .teacher_stage = {1100, 32, 3e-3, 0.05, 50, 0.03, 0.1, {0.0, 0.05, 0.1}, 3},
        .base_stages = {{450, 48, 5e-3, 0.05, 50, 0.0, 0.0, {0.0, 0.0, 0.05, 0.05}, 4},
                        {80, 48, 1e-3, 1.0, 0, 1.0, 0.12, {0.0, 0.0, 0.05, 0.05}, 4}},
        .slip = 0.05,
        .steps = 150,
        .prompts = 16,
        .rate = 1e-3,
        .evaluate_every = 15,
        .evaluate_prompts = 64,
        .final_prompts = 256,
    },
    {
        .name = "text",
        .task = "text",
        .title = "Definitions of words, byte by byte",
        .teacher = {.layers = 3, .dim = 128, .heads = 4, .kv_heads = 4, .hidden = 512},
        .student = {.layers = 2, .dim = 64, .heads = 4, .kv_heads = 4, .hidden = 256},
        .teacher_stage = {2000, 48, 2e-3, 0.05, 100, 0.0, 0.0, {0.0}, 0},
        .base_stages = {{300, 48, 2e-3, 0.05, 50, 0.0, 0.0, {0.0}, 0}},
        .steps = 150,
        .prompts = 16,
        .rate = 5e-4,
        .evaluate_every = 15,
        .evaluate_prompts = 64,
        .final_prompts = 256,
    },
    {
        .name = "ids",
        .task = "ids",
        .title = "Models and prompts from files",
        .steps = 100,
        .prompts = 8,
        .rate = 1e-4,
        .evaluate_every = 20,
        .evaluate_prompts = 16,
        .final_prompts = 32,
    },
};

const setting *setting_find(const char *name) {
  for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++)
    if (strcmp(settings[i].name, name) == 0) return &settings[i];
  return NULL;
}
