"""Latency at fixed rates, as customers see it who come whether or not the one before was served.

A closed loop, such as wrk, sends a connection's next request when its last one was answered. When
the server stands still for a second, so does the load: one slow answer per connection is counted,
and the thousand requests that people would have made in that second are not. Gil Tene calls this
*coordinated omission* ("How NOT to Measure Latency"; the README of his wrk2): generator and server
agree to leave out what was bad, and the 99th percentile of what is left says nothing.

So here every request is due at a time that was drawn before the run, from a seed. Its latency
counts from when it was due, not from when it was sent: what it waited for a free connection, or
for a generator that came late, is part of it. How late the generator was by itself is told too.

The generator is our own: Debian has none that does this (hey is a closed loop with a limit, and
there is no wrk2). Vegeta has to be built with Go first, counts from the sending, and took two to
three times as much CPU for each request (2026-11-23: 175 to 223 microseconds against 72 to 75 at
1,000/s, on a machine that was busy with much else); it would share its cores with the servers.
"""
