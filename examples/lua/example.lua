-- Two tiny models in Lua: tables of logits by the last token. The teacher counts from 0 to 9 and ends; the student has
-- forgotten how. A few steps of rollouts within an annealed budget, and of descent on the reverse KL.

local trb = require "trb"

local VOCAB, END = 11, 10

local Table = { vocab = VOCAB }
Table.__index = Table

local function new(next_of, logit)
  local model = setmetatable({ logits = {}, grad = {} }, Table)
  for a = 0, VOCAB - 1 do
    model.logits[a], model.grad[a] = {}, {}
    for v = 1, VOCAB do model.logits[a][v], model.grad[a][v] = v - 1 == next_of(a) and logit or 0, 0 end
  end
  return model
end

-- Calls act(r, token) for every row of the queries, with the token before it.
local function each_row(queries, act)
  local r = 0
  for _, q in ipairs(queries) do
    for at = #q.tokens - q.rows + 1, #q.tokens do
      r = r + 1
      act(r, q.tokens[at])
    end
  end
end

function Table:forward(queries, out)
  each_row(queries, function(r, token) out:set(r, self.logits[token]) end)
end

function Table:backward(queries, grad)
  each_row(queries, function(r, token)
    for v, g in ipairs(grad:get(r)) do self.grad[token][v] = self.grad[token][v] + g end
  end)
end

function Table:descend(rate)
  for a = 0, VOCAB - 1 do
    for v = 1, VOCAB do
      self.logits[a][v] = self.logits[a][v] - rate * self.grad[a][v]
      self.grad[a][v] = 0
    end
  end
end

local teacher = new(function(a) return math.min(a + 1, END) end, 6)
local student = new(function(a) return a * 7 % VOCAB end, 1)
local ctx = trb.context()

print "step  budget   beta  KL(p||q)  a response"
for k = 0, 60 do
  local budget = ctx:schedule({ initial = 0.1, steps = 40 }, k)
  local rollouts = ctx:rollout(student, teacher, { { 0 } }, {
    budget = budget, sampler = { seed = k }, stop = { END }, max_tokens = 12, repeats = 16, keep_bytes = 2 ^ 20,
  })
  local step, totals = ctx:train_step(student, teacher, rollouts), ctx:totals(rollouts)
  if k % 10 == 0 then
    print(("%4d  %6.3f  %5.3f  %8.3f  %s"):format(k, budget, totals.beta, step.report.loss,
      table.concat(rollouts:response(1), " ")))
  end
  rollouts:close()
  student:descend(2)
end
