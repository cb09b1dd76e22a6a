-- The load of wrk: every request is made anew, and one line of JSON is printed at the end.
-- Arguments: work (charge | coupon | orders | mixed | shop), seed, users, products, coupon code,
-- pause between the requests of a connection in ms (0: none). One thread (wrk -t1).
local work, users, code, pause_ms
local prefix = ""
local sent = 0
local orders = {}
local pieces_up_to = {}
statuses = {}
reads = 0

local function post(path, body)
  return "POST " .. prefix .. path .. " HTTP/1.1\r\nHost: " .. wrk.host
    .. "\r\nContent-Type: application/json\r\nContent-Length: " .. #body .. "\r\n\r\n" .. body
end

local function get(path)
  return "GET " .. prefix .. path .. " HTTP/1.1\r\nHost: " .. wrk.host .. "\r\n\r\n"
end

-- Zipf: the n-th product sells 1/n as often as the first. The list is searched by halves.
local function any_product()
  local wanted = math.random() * pieces_up_to[#pieces_up_to]
  local low, high = 1, #pieces_up_to
  while low < high do
    local middle = math.floor((low + high) / 2)
    if pieces_up_to[middle] < wanted then low = middle + 1 else high = middle end
  end
  return low
end

local function order_of(user, product)
  return post("/api/v1/orders",
    '{"userId":' .. user .. ',"items":[{"productId":' .. product .. ',"quantity":1}]}')
end

local function pay_first_or(otherwise)
  local order = table.remove(orders)
  if order then
    return post("/api/v1/orders/pay", order)
  end
  return otherwise()
end

local makers
makers = {
  -- Charges fall on chance users, as customers come; the seed makes both sides' load the same.
  charge = function()
    local user = math.random(users)
    return post("/api/v1/balance/charge", '{"userId":' .. user .. ',"amount":7}')
  end,
  -- Every issue is another user's: a second one of the same user would be a refusal.
  coupon = function()
    sent = sent + 1
    return post("/api/v1/coupons/issue", '{"userId":' .. sent .. ',"couponCode":"' .. code .. '"}')
  end,
  -- An order that was answered is paid before another one is made.
  orders = function()
    return pay_first_or(function() return order_of(math.random(users), any_product()) end)
  end,
  -- 60 % charges, 10 % issues of one hot coupon, 30 % reads.
  mixed = function()
    local drawn = math.random()
    if drawn < 0.6 then return makers.charge() end
    if drawn < 0.7 then return makers.coupon() end
    local what = drawn < 0.85 and "balance" or "coupons"
    return get("/api/v1/" .. what .. "?userId=" .. math.random(users))
  end,
  -- Of all that a shop does.
  shop = function()
    return pay_first_or(function()
      local drawn = math.random()
      if drawn < 0.9 then return makers.mixed() end
      return order_of(math.random(users), 1)
    end)
  end,
}

local only_thread

function setup(thread)
  only_thread = thread
end

function init(arguments)
  work, code = arguments[1], arguments[5]
  users = tonumber(arguments[3])
  math.randomseed(tonumber(arguments[2]))
  local sum = 0
  for product = 1, tonumber(arguments[4]) do
    sum = sum + 1 / product
    pieces_up_to[product] = sum
  end
  pause_ms = tonumber(arguments[6])
  -- The lock per request serves each of its policies below a path of its own.
  if wrk.path ~= "/" then prefix = wrk.path end
  -- Looking at bodies costs time, so it is done only where something depends on it.
  if work == "mixed" or work == "orders" or work == "shop" then
    response = count_and_remember
  end
  if pause_ms > 0 then
    -- By chance, or all connections would go in step.
    delay = function() return math.random(0, 2 * pause_ms) end
  end
end

function request()
  return makers[work]()
end

function response(status)
  local name = tostring(status)
  statuses[name] = (statuses[name] or 0) + 1
end

local count = response

function count_and_remember(status, _, body)
  count(status)
  if status ~= 200 then return end
  if body:find('^{"userId":%d+,"balance":') or body:find('^{"userId":%d+,"coupons":') then
    reads = reads + 1
    return
  end
  local order, user = body:match('^{"orderId":([^,]+),"userId":(%d+).-"status":"PENDING"')
  if order then
    orders[#orders + 1] = '{"userId":' .. user .. ',"orderId":' .. order .. '}'
  end
end

function done(summary, latency)
  local counts = {}
  for status, count in pairs(only_thread:get("statuses")) do
    counts[#counts + 1] = string.format('"%s":%d', status, count)
  end
  local errors = summary.errors
  print(string.format(
    '{"seconds":%.6f,"statuses":{%s},"broken":%d,"p50_ms":%.3f,"p99_ms":%.3f,"max_ms":%.3f,'
    .. '"reads":%d}',
    summary.duration / 1e6, table.concat(counts, ","),
    errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000, latency.max / 1000,
    only_thread:get("reads")))
end
