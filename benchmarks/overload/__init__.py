"""What happens at three times the capacity: who is served, who is told what, and is that true?

An open loop: strangers come at times that were drawn before the run, each of them once, whatever
becomes of the others. Whoever is told to come back (429 or 503 with `Retry-After`) does so, and
again if told again, until he is served. So the crowd outside the door is part of the load, as it
is in life; a closed loop would come slower the more it is refused.
"""
