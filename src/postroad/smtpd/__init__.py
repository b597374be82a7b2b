"""The SMTP door: mail that applications hand over by SMTP instead of HTTP becomes a request to the same intake.

`listener` owns sockets and clocks around the sans-IO server machine of `wire`; `submission` answers the machine's
questions: who may send, for whom, and whether the message is taken. A message is taken only once it is durable.
"""
