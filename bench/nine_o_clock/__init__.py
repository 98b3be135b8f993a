"""Many schedules due in the same minute: grouped, each with a pod of its own, and as the platform does it today."""
