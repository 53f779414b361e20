"""``lisa doctor``: what is installed, what works, and what to do about the rest.

Nothing here is imported with ROS or PyTorch before it is known that they are there: a doctor who
falls over the same stone as the patient is of no use.  Every judgement is a function of what was
found (``check_*``); finding it is kept apart.
"""
