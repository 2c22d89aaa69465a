"""What the API says of itself: its entities and their fields, its code lists and their crosswalks."""
