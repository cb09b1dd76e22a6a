-- Reads by wrk. Arguments: those of posts.lua, then a path, and up to which number a user is put
-- behind it by chance (0: none is).
dofile(debug.getinfo(1, "S").source:match("^@(.*/)limits/") .. "posts.lua")

local init_posts = init
local path, users

function init(arguments)
  init_posts(arguments)
  path, users = arguments[7], tonumber(arguments[8])
end

function request()
  local whose = users > 0 and math.random(users) or ""
  return "GET " .. path .. whose .. " HTTP/1.1\r\nHost: " .. wrk.host .. "\r\n\r\n"
end
